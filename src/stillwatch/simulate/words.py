"""Subjects and their words in seven languages, a hand-written core of each lexicon."""

from __future__ import annotations

from functools import cache

TOPICS = (
    *("mathematics", "python", "javascript", "databases", "statistics", "physics", "chemistry", "biology"),
    *("medicine", "law", "history", "finance", "cooking", "travel", "writing", "music"),
    *("sports", "gardening", "education", "marketing", "logistics", "electronics", "astronomy", "psychology"),
)
REASONED_TOPICS = frozenset({0, 4, 5, 6})
"""Positions in TOPICS whose answers are often worked out in steps whoever asks."""

CODE_TOPICS = frozenset({1, 2, 3})
"""Positions in TOPICS whose answers hold code."""

LANGUAGES = ("en", "es", "de", "fr", "zh", "ja", "ru")
LANGUAGE_SHARES = (0.66, 0.08, 0.06, 0.06, 0.06, 0.04, 0.04)
"""How traffic divides over LANGUAGES, for honest accounts and campaigns alike."""

ENGLISH = """
polynomial matrix eigenvalue lemma manifold gradient prime modulus tangent vertex permutation determinant series limit group
 ring ideal bijection
|decorator iterator coroutine dataclass generator asyncio pytest tuple namespace traceback wheel docstring interpreter lambda
 fixture descriptor
|promise closure bundler component hook reducer prototype listener viewport router middleware callback webpack linter hydration selector
|index transaction shard replica schema cursor trigger partition vacuum deadlock view migration snapshot query planner isolation
|variance regression prior posterior quantile bootstrap sampling residual covariate likelihood estimator correlation outlier
 histogram kurtosis power
|momentum entropy photon torque inertia lattice plasma voltage diffraction wavelength friction viscosity boson spectrum oscillator gravity
|titration catalyst oxidation isomer reagent polymer ligand solvent enthalpy buffer anion distillate crystal ester chromatography valence
|enzyme mitochondria ribosome genome allele plankton membrane mutation habitat symbiosis neuron pathogen chloroplast protein species larva
|hypertension insulin biopsy antibiotic anaemia thyroid inflammation ultrasound asthma vaccine migraine cholesterol fracture
 dermatitis sepsis triage
|tenancy liability injunction arbitration clause trademark custody deposition negligence easement warranty fiduciary appeal
 testimony licence probate
|dynasty armistice treaty empire parliament revolt colony manuscript crusade republic siege census monarchy reformation plague caravan
|dividend mortgage hedge bond inflation portfolio liquidity collateral ledger annuity equity arbitrage solvency invoice
 depreciation coupon
|saffron dough marinade broth simmer cardamom risotto custard zest brine fillet glaze sourdough shallot caramel thyme
|itinerary ferry hostel visa glacier lagoon passport monastery railway souvenir summit airport coastline trek harbour luggage
|protagonist stanza metaphor narrator chapter dialogue plot sonnet prologue satire villain manuscript genre memoir pacing imagery
|chord tempo melody cadence orchestra soprano rhythm octave harmony synthesizer fugue percussion timbre vinyl arpeggio encore
|marathon goalkeeper sprint tournament dribble referee relay stamina coach league serve backstroke tackle physio podium rowing
|compost seedling pruning mulch perennial trellis aphid orchard loam bulb irrigation hydrangea weed greenhouse lavender graft
|curriculum rubric syllabus homework literacy pedagogy seminar tutoring classroom assessment scholarship phonics kindergarten
 thesis lecture pupil
|campaign funnel slogan audience conversion newsletter brand influencer persona retention outreach keyword launch pricing survey banner
|warehouse pallet freight customs container forklift inventory courier route depot manifest dispatch tariff backlog cargo pickup
|capacitor resistor oscilloscope diode microcontroller solder relay amplifier sensor firmware transistor impedance battery
 inductor antenna breadboard
|nebula pulsar telescope eclipse asteroid orbit quasar supernova parallax galaxy comet corona exoplanet redshift perihelion meteor
|anxiety cognition memory attachment bias conditioning motivation resilience empathy perception therapy habit temperament
 grief attention trauma
"""

SPANISH = """
matriz derivada número raíz teorema|bucle módulo script paquete clase|navegador evento componente botón enlace|tabla índice
 consulta clave esquema
|varianza muestra media regresión sesgo|energía fuerza masa onda calor|ácido enlace reacción molécula sal|célula gen planta especie enzima
|fiebre dosis vacuna alergia presión|contrato juez multa herencia demanda|imperio guerra rey tratado siglo|préstamo acción
 deuda ahorro impuesto
|arroz horno salsa ajo harina|hotel vuelo playa montaña maleta|novela poema personaje trama verso|guitarra acorde ritmo coro canción
|partido gol carrera equipo entrenador|semilla riego flor poda huerto|alumno examen curso tarea maestro|marca cliente anuncio venta precio
|almacén camión envío ruta aduana|circuito sensor cable batería placa|planeta estrella luna cometa órbita|memoria emoción
 hábito estrés sueño
"""
GERMAN = """
Matrix Ableitung Primzahl Wurzel Beweis|Schleife Modul Skript Paket Klasse|Browser Ereignis Komponente Knopf Fenster|Tabelle
 Index Abfrage Schlüssel Schema
|Varianz Stichprobe Mittelwert Regression Verzerrung|Energie Kraft Masse Welle Wärme|Säure Bindung Reaktion Molekül Salz|Zelle
 Gen Pflanze Art Enzym
|Fieber Dosis Impfung Allergie Blutdruck|Vertrag Richter Bußgeld Erbe Klage|Reich Krieg König Abkommen Jahrhundert|Kredit
 Aktie Schuld Rendite Steuer
|Reis Ofen Soße Knoblauch Mehl|Hotel Flug Strand Berg Koffer|Roman Gedicht Figur Handlung Vers|Gitarre Akkord Takt Chor Lied
|Spiel Tor Lauf Mannschaft Trainer|Samen Bewässerung Blume Schnitt Beet|Schüler Prüfung Kurs Aufgabe Lehrer|Marke Kunde
 Anzeige Verkauf Preis
|Lager Lastwagen Versand Strecke Zoll|Schaltung Sensor Kabel Batterie Platine|Planet Stern Mond Komet Umlaufbahn|Gedächtnis
 Gefühl Gewohnheit Stress Schlaf
"""
FRENCH = """
matrice dérivée entier racine théorème|boucle module script paquet classe|navigateur événement composant bouton lien|table
 index requête clé schéma
|variance échantillon moyenne régression biais|énergie force masse onde chaleur|acide liaison réaction molécule sel|cellule
 gène plante espèce enzyme
|fièvre dose vaccin allergie tension|contrat juge amende héritage plainte|empire guerre roi traité siècle|prêt action dette épargne impôt
|riz four sauce ail farine|hôtel vol plage montagne valise|roman poème personnage intrigue vers|guitare accord rythme chœur chanson
|match but course équipe entraîneur|graine arrosage fleur taille potager|élève examen cours devoir professeur|marque client
 annonce vente prix
|entrepôt camion envoi trajet douane|circuit capteur câble batterie carte|planète étoile lune comète orbite|mémoire émotion
 habitude stress sommeil
"""
CHINESE = """
矩阵 导数 素数 平方根 定理|循环 模块 脚本 软件包 类型|浏览器 事件 组件 按钮 链接|数据表 索引 查询 主键 模式
|方差 样本 均值 回归 偏差|能量 力学 质量 波长 热量|酸性 化学键 反应 分子 盐类|细胞 基因 植物 物种 酶
|发烧 剂量 疫苗 过敏 血压|合约 法官 罚款 继承 诉讼|帝国 战争 国王 条约 世纪|贷款 股票 债务 储蓄 税收
|米饭 烤箱 酱汁 大蒜 面粉|酒店 航班 海滩 高山 行李|小说 诗歌 人物 情节 韵律|吉他 和弦 节奏 合唱 歌曲
|比赛 进球 赛跑 球队 教练|种子 灌溉 花朵 修剪 菜园|学生 考试 课程 作业 老师|品牌 客户 广告 销售 价格
|仓库 卡车 货运 路线 海关|电路 传感器 电缆 电池 主板|行星 恒星 月亮 彗星 轨道|记忆 情绪 习惯 压力 睡眠
"""
JAPANESE = """
行列 微分 素数 平方根 定理|ループ モジュール スクリプト パッケージ クラス|ブラウザ イベント コンポーネント ボタン リンク
 |テーブル 索引 クエリ 主キー スキーマ
|分散 標本 平均 回帰 偏り|エネルギー 力学 質量 波長 熱量|酸性 結合 反応 分子 塩類|細胞 遺伝子 植物 生物種 酵素
|発熱 用量 ワクチン アレルギー 血圧|約款 裁判官 罰金 相続 訴訟|帝国 戦争 国王 条約 世紀|融資 株式 負債 貯蓄 税金
|ご飯 オーブン ソース にんにく 小麦粉|ホテル 航空便 海岸 山道 荷物|小説 詩歌 人物 筋書き 韻律|ギター 和音 拍子 合唱 歌曲
|試合 得点 競走 球団 監督|種子 水やり 花びら 剪定 菜園|生徒 試験 授業 宿題 先生|銘柄 顧客 広告 販売 値段
|倉庫 貨物車 発送 経路 税関|回路 センサー 電線 電池 基板|惑星 恒星 月面 彗星 軌道|記憶 感情 習慣 緊張 睡眠
"""
RUSSIAN = """
матрица производная число корень теорема|цикл модуль скрипт пакет класс|браузер событие компонент кнопка ссылка|таблица индекс
 запрос ключ схема
|дисперсия выборка среднее регрессия смещение|энергия сила масса волна тепло|кислота связь реакция молекула соль|клетка ген
 растение вид фермент
|жар доза вакцина аллергия давление|договорённость судья штраф наследство иск|империя война король соглашение век|кредит акция
 долг вклад налог
|рис духовка соус чеснок мука|гостиница рейс пляж гора чемодан|роман поэма герой сюжет строфа|гитара аккорд темп хор песня
|матч гол забег команда тренер|семя полив цветок обрезка грядка|ученик экзамен курс задание учитель|бренд клиент реклама продажа цена
|склад грузовик отправка маршрут таможня|цепь датчик кабель батарея плата|планета звезда луна комета орбита|память эмоция
 привычка стресс сон
"""

SYLLABLES: dict[str, str] = {
    "en": "ba cor den fal gri hol in jor kel lum mar nov or pel quin ras sel tor um ver wil xan yor zet bri chal dro fen gal",
    "es": "ba cer do fe gui ja lo ma ni par que ro sa ta uve zo bla cri dor fin gal lar men nar pos res sol tra ven cal",
    "de": """Auf bach eck feld grund heim kern licht mark nach ober rand stein tal wald zeit berg damm fuhr holz klang lauf
    mess reich spur""",
    "fr": "ba cher dou fra gne jou lan meau noir pré quai roi sau ton vi bel cour fin gran lier mon par rou ser tour val",
    "zh": "光明山水风云木石金土火天地东南西北春夏秋冬花草树鸟鱼龙马新旧高低远近长短轻重深浅快慢清白红青黄紫",
    "ja": "光明山水風雲木石金土火天地東南西北春夏秋冬花草樹鳥魚竜馬新旧高低遠近長短軽重深浅快慢清白赤青黄紫",
    "ru": "ба вер гор дом ель жар зол кам лес мор нов окт пол рек сон тал уда фин хлеб цвет чист шум яр бор кор мир",
}

GENERAL: dict[str, str] = {
    "en": """project example result problem method question change reason detail number group week system plan report value
    team option limit part
        version customer order sample measure outcome budget schedule note case draft target decision source record review""",
    "es": """proyecto ejemplo resultado problema método pregunta cambio razón detalle grupo semana sistema plan informe valor
    equipo opción límite""",
    "de": "Projekt Beispiel Ergebnis Problem Methode Frage Änderung Grund Detail Gruppe Woche System Plan Bericht Wert Wahl Grenze Teil",
    "fr": """projet exemple résultat problème méthode question changement raison détail groupe semaine système plan rapport
    valeur option limite""",
    "zh": "项目 例子 结果 问题 方法 变化 原因 细节 小组 星期 系统 计划 报告 数值 团队 选项 限制 部分",
    "ja": "計画 例題 結果 問題 方法 変化 理由 詳細 班 週末 体系 予定 報告 数値 仲間 選択 制限 部分",
    "ru": """проект пример результат проблема метод вопрос изменение причина деталь группа неделя система план отчёт значение
    выбор предел часть""",
}


@cache
def topic_words(language: str) -> tuple[tuple[str, ...], ...]:
    """The hand-written words of each topic, in the order of TOPICS."""
    core = {"en": ENGLISH, "es": SPANISH, "de": GERMAN, "fr": FRENCH, "zh": CHINESE, "ja": JAPANESE, "ru": RUSSIAN}[language]
    return tuple(tuple(topic.split()) for topic in core.split("|"))
