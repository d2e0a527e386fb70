"""Hidden campaigns in real conversations: a benchmark of detection at the level of groups, with hard negatives and baselines."""
