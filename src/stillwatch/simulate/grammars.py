"""Sentence grammars in seven languages: every sentence is a beginning, a middle and an end, with places for content words.

`ask` opens a request, `follow` goes on with it, `tell` states something (the matter of prompts and answers alike).
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Grammar:
    """Fragments of one language; a sentence is one fragment of each of the three lists of a mood.

    Attributes:
        ask, follow, tell: three lists of fragments separated by `|`; `%s` is the place of a content word.
        stop: what ends a sentence.
        mark: what ends a question.
        gap: what stands between sentences and words.
        width: bytes of a character of this language, about.
        therefore: what opens the last line of a worked answer.
    """

    ask: tuple[str, str, str]
    follow: tuple[str, str, str]
    tell: tuple[str, str, str]
    stop: str
    mark: str
    gap: str
    width: float
    therefore: str


GRAMMARS: dict[str, Grammar] = {
    "en": Grammar(
        ask=(
            """Can you explain|I need to understand|Help me work out|Please describe|I am trying to figure out
            |Could you tell me|My colleague asked
            |For a talk I need to know|Give me a short account of|What would an expert say about|Remind me|I keep wondering
            |We have to decide
            |Walk me through|Write a few lines on|Compare for me""",
            """how %s affects the %s|why %s depends on %s|what happens to %s if the %s changes|whether %s or %s comes first
            |which %s goes with a %s|how to tell %s from %s|when a %s needs another %s|how people measure %s against %s
            |what a beginner gets wrong about %s and %s|how I should prepare %s before the %s|what links %s to %s
            |where %s ends and %s begins
            |how much %s a typical %s takes|what makes %s fail after the %s""",
            """in a small %s|for someone new to %s|without any %s|with an example about %s|given that our %s is old|when %s is short
            |and what that means for %s|if the %s was bought last year|so that the %s stays the same|for a reader who knows %s
            |now that %s has changed|using the usual %s|step by step for %s|in about a page on %s""",
        ),
        follow=(
            "And|OK, but|Thanks. So|I see, then|Wait,|One more thing:|Right, and|Hm,|That helps. Now|Sorry,",
            """what about %s|does the same hold for %s|could you shorten the part on %s|why did you mention %s|how would %s change it
            |is %s really needed there|can you give another %s|what if the %s is missing|which of these suits %s""",
            """in my case with %s|next to the %s|for the %s you named|once more for %s|if I leave out %s
            |given the %s from before|as for %s""",
        ),
        tell=(
            """The|In most cases the|As a rule the|Here the|By contrast the|A well known|Every|Often the|After that the|Usually some|One
            |Since last year our|In practice each|On the whole the|Most people find that the|For that reason the""",
            """%s rests on the %s|%s limits how far %s can go|%s is kept apart from the %s|%s grows faster than %s|%s came before the %s
            |%s and the %s should be checked together|%s replaces the older %s|%s gives the %s its shape|%s was blamed on %s
            |%s turned out to need %s|%s costs more than a %s|%s brings %s with it|%s works best beside a %s|%s hides a second %s
            |%s must be weighed against %s|%s settles before the %s""",
            """under a steady %s|because of the %s|unless %s gets in the way|as the %s shows|for any %s of that kind|when the %s is ready
            |although few notice the %s|which a good %s would confirm|so the %s can wait|in spite of %s|and the %s follows
            |while %s stays put|once the %s is known|with hardly any %s left""",
        ),
        stop=".",
        mark="?",
        gap=" ",
        width=1.0,
        therefore="Therefore the answer is",
    ),
    "es": Grammar(
        ask=(
            "¿Puedes explicar|Necesito entender|Ayúdame a ver|¿Sabes|Describe por favor|Me pregunto|Quisiera saber|Cuéntame",
            """cómo %s cambia %s|por qué %s depende de %s|qué pasa con %s si falta %s|cuándo %s necesita %s|qué une %s con %s
            |cómo distinguir %s de %s|cuánto %s lleva un buen %s|dónde acaba %s y empieza %s""",
            """en un caso de %s|para alguien nuevo en %s|sin usar %s|con un ejemplo de %s|ahora que %s es caro
            |si %s no está listo|según %s""",
        ),
        follow=(
            "Y|Vale, pero|Gracias. Entonces|Espera,|Otra cosa:|Perdona,",
            "qué hay de %s|vale lo mismo para %s|por qué nombraste %s|puedes dar otro %s|y si falta %s|hace falta %s",
            "en mi caso con %s|junto a %s|para ese %s|otra vez con %s|si quito %s",
        ),
        tell=(
            "El|Casi siempre el|En general el|Aquí el|Todo|A menudo un|Después el|Cada",
            """%s se apoya en %s|%s limita a %s|%s crece más que %s|%s viene antes de %s|%s sustituye al viejo %s|%s cuesta más que %s
            |%s trae consigo %s|%s y %s se revisan juntos""",
            "por causa de %s|salvo que falte %s|como muestra %s|cuando %s está listo|a pesar de %s|y luego sigue %s|mientras %s espera",
        ),
        stop=".",
        mark="?",
        gap=" ",
        width=1.03,
        therefore="Por tanto la respuesta es",
    ),
    "de": Grammar(
        ask=(
            """Kannst du erklären,|Ich möchte verstehen,|Hilf mir zu sehen,|Bitte beschreibe,|Weißt du,|Ich frage mich,
            |Sag mir bitte,|Mich interessiert,""",
            """wie %s auf %s wirkt|warum %s von %s abhängt|was mit %s passiert, wenn %s fehlt|wann %s ein %s braucht
            |was %s mit %s verbindet
            |wie man %s von %s trennt|wie viel %s ein gutes %s kostet|wo %s endet und %s beginnt""",
            """bei einem kleinen %s|für jemanden ohne %s|ganz ohne %s|mit einem Beispiel zu %s|wenn %s teuer ist
            |falls %s noch fehlt|laut %s""",
        ),
        follow=(
            "Und|Gut, aber|Danke. Also|Moment,|Noch etwas:|Entschuldige,",
            "was ist mit %s|gilt das auch bei %s|warum nennst du %s|hast du noch ein %s|was, wenn %s fehlt|braucht es %s",
            "in meinem Fall mit %s|neben %s|für dieses %s|noch einmal zu %s|wenn ich %s weglasse",
        ),
        tell=(
            "Das|Meist ist so ein|In der Regel wird|Hier bleibt|Jedes|Oft steht|Danach kommt|Kein",
            """%s vor dem %s|%s stärker als %s|%s neben dem alten %s|%s teurer als %s|%s an %s gebunden|%s durch %s ersetzt
            |%s zusammen mit %s|%s ohne jedes %s""",
            "wegen %s|außer bei %s|wie %s zeigt|sobald %s bereit ist|trotz %s|und dann folgt %s|während %s wartet",
        ),
        stop=".",
        mark="?",
        gap=" ",
        width=1.03,
        therefore="Daher lautet die Antwort",
    ),
    "fr": Grammar(
        ask=(
            """Peux-tu expliquer|Je voudrais comprendre|Aide-moi à voir|Décris s'il te plaît|Sais-tu|Je me demande|Dis-moi
            |J'aimerais savoir""",
            """comment %s agit sur %s|pourquoi %s dépend de %s|ce que devient %s sans %s|quand %s demande un %s|ce qui lie %s à %s
            |comment distinguer %s de %s|combien de %s prend un bon %s|où finit %s et commence %s""",
            "dans un petit %s|pour un débutant en %s|sans aucun %s|avec un exemple de %s|quand %s est cher|si %s n'est pas prêt|selon %s",
        ),
        follow=(
            "Et|D'accord, mais|Merci. Alors|Attends,|Autre chose :|Pardon,",
            "qu'en est-il de %s|est-ce pareil pour %s|pourquoi citer %s|as-tu un autre %s|et si %s manque|faut-il %s",
            "dans mon cas avec %s|à côté de %s|pour ce %s|encore une fois pour %s|si j'enlève %s",
        ),
        tell=(
            "Le|Souvent le|En général le|Ici le|Tout|Parfois un|Ensuite le|Chaque",
            """%s repose sur %s|%s limite le %s|%s croît plus vite que %s|%s vient avant %s|%s remplace le vieux %s|%s coûte plus que %s
            |%s amène %s avec lui|%s et %s se vérifient ensemble""",
            "à cause de %s|sauf si %s manque|comme le montre %s|quand %s est prêt|malgré %s|puis vient %s|pendant que %s attend",
        ),
        stop=".",
        mark=" ?",
        gap=" ",
        width=1.04,
        therefore="La réponse est donc",
    ),
    "zh": Grammar(
        ask=(
            "请解释|我想了解|帮我看看|请说明|你知道|我在想|告诉我|我想问",
            """%s怎样影响%s|为什么%s取决于%s|没有%s时%s会怎样|什么时候%s需要%s|%s和%s有什么联系|怎么区分%s与%s
            |一个好的%s要多少%s|%s之后为什么是%s""",
            "，以小型%s为例|，面向不懂%s的人|，不用%s|，举一个%s的例子|，现在%s很贵|，如果%s还没好|，按照%s的说法",
        ),
        follow=(
            "那么|好的，但是|谢谢，所以|等一下，|还有，|对不起，",
            "%s呢|%s也一样吗|为什么提到%s|能再给一个%s吗|如果缺少%s呢|真的需要%s吗",
            "，我这里是%s|，跟%s放在一起|，就这个%s来说|，再讲一次%s|，要是去掉%s",
        ),
        tell=(
            "一般来说|通常|在这里|相比之下|每个|往往|然后|实际上",
            "%s建立在%s之上|%s限制了%s|%s比%s增长得快|%s出现在%s之前|%s取代了旧的%s|%s比%s更贵|%s带来了%s|%s和%s要一起检查",
            "，因为%s|，除非缺少%s|，正如%s所示|，等%s准备好|，尽管有%s|，接着是%s|，而%s不变",
        ),
        stop="。",
        mark="？",
        gap="",
        width=3.0,
        therefore="因此答案是",
    ),
    "ja": Grammar(
        ask=(
            """教えてください、|知りたいのですが、|説明してほしいのは、|質問です。|確認したいのですが、|悩んでいます。
            |すみません、|お願いします。""",
            """%sは%sにどう影響しますか|なぜ%sは%sに左右されますか|%sがないと%sはどうなりますか|いつ%sに%sが必要ですか
            |%sと%sの関係は何ですか
            |%sと%sをどう見分けますか|良い%sには%sがどれくらい要りますか|%sの次がなぜ%sなのですか""",
            "、小さな%sの場合|、%sの初心者向けに|、%sを使わずに|、%sの例つきで|、%sが高い今|、%sがまだのとき|、%sによれば",
        ),
        follow=(
            "では|はい、でも|ありがとう。なら|待って、|もう一つ、|ごめん、",
            "%sはどうですか|%sでも同じですか|なぜ%sを挙げたのですか|別の%sはありますか|%sがなければどうなりますか|%sは本当に要りますか",
            "、うちの%sでは|、%sと並べて|、その%sについて|、もう一度%sを|、%sを外すと",
        ),
        tell=(
            "一般に、|通常は|ここでは|一方で|どの場合も|しばしば|その後|実際には",
            """%sは%sの上に成り立つ|%sが%sを制限する|%sは%sより速く伸びる|%sは%sの前に来る|%sは古い%sに代わる|%sは%sより高い
            |%sが%sをもたらす|%sと%sは一緒に見る""",
            "、%sのためである|、%sを除いて|、%sが示すように|、%sが整えば|、%sにもかかわらず|、次に%sが続く|、%sは変わらない",
        ),
        stop="。",
        mark="？",
        gap="",
        width=3.0,
        therefore="したがって答えは",
    ),
    "ru": Grammar(
        ask=(
            "Объясни,|Хочу понять,|Помоги увидеть,|Опиши, пожалуйста,|Знаешь ли ты,|Мне интересно,|Скажи,|Подскажи,",
            """как %s влияет на %s|почему %s зависит от %s|что будет с %s без %s|когда %s требует %s|что связывает %s и %s
            |чем %s отличается от %s
            |сколько %s нужно на хороший %s|где кончается %s и начинается %s""",
            """, если взять %s|для новичка в теме %s|, не используя %s|на примере %s|, когда %s дорого|, пока %s не готово
            |, если верить теме %s""",
        ),
        follow=(
            "А|Хорошо, но|Спасибо. Тогда|Подожди,|И ещё:|Извини,",
            "что насчёт %s|то же верно для %s|зачем ты назвал %s|есть ли другой %s|а если нет %s|нужно ли %s",
            "в моём случае с %s|рядом с %s|для этого %s|ещё раз про %s|, если убрать %s",
        ),
        tell=(
            "Обычно|Как правило,|Здесь|Напротив,|Часто|Затем|На деле|Каждый раз",
            """%s опирается на %s|%s ограничивает %s|%s растёт быстрее, чем %s|%s идёт раньше, чем %s|%s заменяет старое %s
            |%s дороже, чем %s
            |%s приносит %s|%s и %s проверяют вместе""",
            "из-за %s|, если есть %s|, как показывает %s|, когда готово %s|, несмотря на %s|, а дальше %s|, пока ждёт %s",
        ),
        stop=".",
        mark="?",
        gap=" ",
        width=1.85,
        therefore="Поэтому ответ:",
    ),
}
