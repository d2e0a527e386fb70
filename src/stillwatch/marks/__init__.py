"""What makes served text provable: keys, keyed draws, watermarks, twins and canaries. Pure: nothing here reads or writes a file."""
