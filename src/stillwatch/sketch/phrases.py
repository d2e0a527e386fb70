"""Phrases that say what a prompt asks for, in several languages, and the table that a kernel looks them up in.

Phrases are the weaker half of each signal: a campaign can reword. The stronger half is behaviour (the shape of the output, see
`shapes`), which needs no language. Words of grammar are counted only to compare like with like: two customers who write the same
language are not alike for it (see docs/adr/0005-language-is-a-control.md).
"""

from __future__ import annotations

from enum import IntFlag

import numpy as np
import numpy.typing as npt

from stillwatch.sketch.tokens import hash_words

MAX_GRAM = 6
"""Longest phrase, in words (or in characters of Chinese, Japanese and Korean)."""


_STARTS = 1 << 13


class Elicits(IntFlag):
    """What a prompt tries to draw out."""

    REASONING = 1
    GRADING = 2
    CLEANING = 4
    EVASION = 8


TASKS = (
    "general",
    "mathematics",
    "code",
    "translation",
    "summarisation",
    "medicine",
    "law",
    "writing",
    "classification",
    "extraction",
    "tool use",
)
"""Capabilities, by index in the column `task`."""

LANGUAGES = ("other", "en", "es", "fr", "de", "pt", "it", "nl", "ru", "zh", "ja", "ko", "ar")
"""Control cells, by index in the column `language`."""

_ELICITS: dict[Elicits, str] = {
    Elicits.REASONING: """step by step|chain of thought|show your reasoning|show your work|show all your work|explain your reasoning|think aloud
        |think out loud|reasoning process|internal reasoning|inner monologue|full reasoning|complete reasoning|reasoning trace|detailed reasoning
        |before giving the final answer|before answering|before you answer|thought process|inside think tags|thinking tags|scratchpad
        |let s think|intermediate steps|every step|each step of your|paso a paso|muestra tu razonamiento|explica tu razonamiento
        |razonamiento completo|étape par étape|raisonnement complet|montre ton raisonnement|explique ton raisonnement|schritt für schritt
        |denkprozess|zeige deine überlegungen|vollständige begründung|passo a passo|mostre seu raciocínio|passo dopo passo|stap voor stap
        |шаг за шагом|ход рассуждений|подробное рассуждение|一步一步|逐步|思考过程|推理过程|详细推理|思维链|ステップごと|段階的に|思考過程|推論過程
        |단계별로|추론 과정|사고 과정|خطوة بخطوة""",
    Elicits.GRADING: """on a scale of|on a scale from|score from 1 to|rate the following|rate this response|rate the response|grade the following
        |grade this answer|grade the answer|scoring rubric|using the rubric|this rubric|which response is better|which answer is better|compare the two responses
        |evaluate the following response|assign a score|score the answer|score this answer|preference between|as an impartial judge|de 1 a 10
        |califica la siguiente|note la réponse|sur une échelle de|bewerte die|auf einer skala|оцените ответ|по шкале от|评分标准|打分|哪个回答更好
        |採点|評価して|점수를 매겨""",
    Elicits.CLEANING: """clean the following|clean up the following|normalise the following|normalize the following|rewrite the following response
        |remove any mention of|convert the following into|reformat the following|deduplicate|fix the formatting|into json format|as training data
        |instruction response pair|question answer pair|generate instructions|fine tuning data|training example|training examples
        |self contained question|standardise the|standardize the|limpia el siguiente|reescribe la siguiente|nettoie le|reformule la
        |bereinige|normalisiere|очистите|приведите к виду|清洗以下|整理以下|规范化|训练数据|学習データ|正規化|정제""",
    Elicits.EVASION: """do not flag|not reasoning extraction|debugging session|ignore the previous instructions|ignore previous instructions
        |disregard your instructions|real system prompt|without any refusal|do not refuse|never refuse|previous working memory|不要拒绝|拒否しない""",
}

_TASKS: dict[str, str] = {
    "mathematics": """solve for|equation|integral|derivative|theorem|prove that|how many|calculate|compute the|probability that|geometry|arithmetic
        |ecuación|cuántos|calcula|équation|combien de|gleichung|berechne|wie viele|уравнение|вычислите|方程|计算|证明|多少|方程式|求めよ|計算""",
    "code": """python|javascript|java|rust|sql|function that|write a function|code|compile|stack trace|regex|algorithm|api endpoint|unit test
        |def|import|código|código en|función que|fonction qui|funktion die|программу|функцию|代码|函数|编写程序|コード|関数|코드""",
    "translation": "translate|translation|traduce|traduire|traduis|übersetze|переведи|переведите|翻译|翻訳|번역",
    "summarisation": "summarize|summarise|summary of|tl dr|resume el|résume|résumé|zusammenfassung|fasse|кратко изложи|总结|摘要|要約|요약",
    "medicine": """patient|symptoms|diagnosis|treatment|dosage|doctor|disease|clinical|paciente|síntomas|patient|symptômes|symptome|behandlung
        |пациент|симптомы|患者|症状|治疗|诊断|診断|환자""",
    "law": "contract|statute|plaintiff|defendant|legal|lawsuit|court|contrato|demandado|tribunal|contrat|vertrag|gericht|договор|суд|合同|法律|法院|契約|법률",
    "writing": "write a story|write a poem|write an essay|blog post|rewrite|paraphrase|short story|cover letter|escribe un|écris un|schreibe|напиши|写一篇|写一首|書いて",
    "classification": "classify|which category|sentiment|positive or negative|true or false|label the|clasifica|classe le|klassifiziere|классифицируй|分类|分類",
    "extraction": "extract|list all the|named entities|find all|extrae|extrais|extrahiere|извлеки|提取|抽出",
    "tool use": "call the tool|tool call|function call|available tools|use the tool|browser|file system",
}

_FUNCTION_WORDS: dict[str, str] = {
    "en": "the of and to in is that for it with as this you what how are",
    "es": "el la de que y en los del las por con para una es como qué",
    "fr": "le la les des et en un une du que pour dans est qui sur avec",
    "de": "der die das und ist nicht ein eine mit für auf den von zu wie",
    "pt": "os das dos que da em um uma para com não como você isso mais",
    "it": "il lo la di che e un una per con non del della come sono",
    "nl": "de het een en van ik te dat is niet met op voor zijn hoe",
    "ru": "и в не на что с как это по для из к у от я",
}


def _phrases(text: str) -> list[str]:
    return [" ".join(phrase.split()) for phrase in text.split("|") if phrase.strip()]


def gram_hash(words: npt.NDArray[np.uint64]) -> int:
    """The hash of a run of word hashes, as the kernel rolls it."""
    value = 0
    for word in words.tolist():
        value = (value * 0x9E3779B97F4A7C15 + int(word)) & 0xFFFFFFFFFFFFFFFF
    return value


def phrase_table() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int32], npt.NDArray[np.uint8]]:
    """An open-addressing table: keys [m], 0 where empty; values [m] = elicits | task << 8; and a filter.

    The filter, indexed by the low bits of a word's hash, is the length of the longest phrase that such a word opens, 0 for none.
    A phrase may stand in one list only as a task and in one only as an elicitation; their values are merged.
    """
    values: dict[int, int] = {}
    starts = np.zeros(_STARTS, np.uint8)
    for flag, text in _ELICITS.items():
        _add(values, starts, text, int(flag))
    for name, text in _TASKS.items():
        _add(values, starts, text, TASKS.index(name) << 8)
    size = 1 << (4 * len(values)).bit_length()
    keys = np.zeros(size, np.uint64)
    table = np.zeros(size, np.int32)
    for key, value in sorted(values.items()):
        slot = key & (size - 1)
        while keys[slot]:
            slot = (slot + 1) & (size - 1)
        keys[slot], table[slot] = key, value
    return keys, table, starts


def language_table() -> tuple[npt.NDArray[np.uint64], npt.NDArray[np.int8], np.uint64]:
    """Words of grammar by some bits of their hash, one to a slot: keys [m], 0 where empty; values [m], positions in LANGUAGES; a shift.

    A word's slot is its hash, shifted right, modulo m. An empty slot's value is LANGUAGES' length, so that a word need not be asked
    whether it is one. A word that two languages share (French and Spanish "la") says nothing and keeps its first owner.
    """
    owners: dict[int, int] = {}
    for name, text in _FUNCTION_WORDS.items():
        for word in text.split():
            owners.setdefault(int(hash_words(word)[0]), LANGUAGES.index(name))
    size, shift = _without_collisions(list(owners))
    keys = np.zeros(size, np.uint64)
    values = np.full(size, len(LANGUAGES), np.int8)
    for key, value in owners.items():
        slot = (key >> shift) & (size - 1)
        keys[slot], values[slot] = key, value
    return keys, values, np.uint64(shift)


def _without_collisions(keys: list[int]) -> tuple[int, int]:
    """The smallest power of two of slots, and the bits that tell the keys apart in it."""
    size = 1 << len(keys).bit_length()
    while True:
        for shift in range(64 - size.bit_length()):
            if len({(key >> shift) & (size - 1) for key in keys}) == len(keys):
                return size, shift
        size *= 2


def _add(values: dict[int, int], starts: npt.NDArray[np.uint8], text: str, value: int) -> None:
    fields = (0xFF, 0xFF00)
    for phrase in _phrases(text):
        words = hash_words(phrase)
        if not 0 < len(words) <= MAX_GRAM:
            message = f"the phrase {phrase!r} has {len(words)} words; 1 to {MAX_GRAM} can be looked up"
            raise ValueError(message)
        opens = int(words[0] & np.uint64(_STARTS - 1))
        starts[opens] = max(int(starts[opens]), len(words))
        key = gram_hash(words)
        old = values.get(key, 0)
        # a phrase that stands in two lists of one kind keeps its first owner
        free = sum(mask for mask in fields if not old & mask)
        values[key] = old | (value & free)
