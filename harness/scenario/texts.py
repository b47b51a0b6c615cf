"""Texts that come with the harness, written for it: `LANGUAGE-NAME` -> words. None is from a corpus.

They hold what a front end has to normalise: numbers, money, dates, percentages, and Latin script in Chinese. `3s`, `10s`
and `30s` are about that many seconds of audio where the length is forced, at size `full` (within a quarter, by test).
"""

from __future__ import annotations

from collections.abc import Mapping

LANGUAGES = ("zh", "en")

TEXTS: Mapping[str, str] = {
    "zh-short": "今天下午三点,我们在门口见面。",
    "zh-dialogue": "你好,请问去火车站怎么走?坐K12路公交车,大约20分钟就到了。票价是3.5元,可以用手机付。",
    "zh-news": "2025年3月18日,本市新开通了两条地铁线路。首日客流达到46.8万人次,比预计多出12%。票价从¥3起,65岁以上的老人免费。",
    "zh-long": (
        "清晨六点半,山谷里还笼罩着一层薄雾。老王背着相机,沿着石阶慢慢往上走,一共走了1280级台阶才到山顶。"
        "他今年67岁,每个星期都要来这里拍一次日出,风雨无阻。他说,2019年10月1日那天的云海最美,可惜当时只带了一块电池。"
        "后来他花了4,599元买了新相机,又学会了用Photoshop修图,把照片发到网上,已经有30多万人看过。"
        "有人问他累不累,他笑着说:“只要走得动,我就会一直拍下去。”"
    ),
    "zh-mixed": "请打开WiFi,再下载最新的App,版本是2.0.1。",
    "zh-3s": "妈,我今晚加班,别等我吃饭。",
    "zh-10s": "各位旅客请注意,开往海边的G27次列车晚点15分钟。请大家在2号站台等候,带好自己的行李和孩子。",
    "zh-30s": (
        "下面是本地新闻。昨天夜里,一场大雪让城里的公共汽车停了三个小时。今天早上7点,第一批车重新上路,可是路面还是很滑,"
        "司机们开得很慢。气象台说,雪要到周五才会停,最低气温会降到-12°C。市政府请大家少开车,多坐地铁,出门的时候穿暖一点。"
        "学校明天照常上课,但是第一节课推迟到9点。"
    ),
    "en-short": "Please meet me at the front gate at three o'clock.",
    "en-dialogue": (
        "Hi, how do I get to the station from here? Take bus number 12, it's about 20 minutes. "
        "The ticket costs $3.50, and you can pay by phone."
    ),
    "en-news": (
        "On March 18, 2025, the city opened two new subway lines. About 468,000 people rode them on the first day, "
        "12% more than expected. Fares start at $2, and anyone over 65 rides for free."
    ),
    "en-long": (
        "At half past six the valley was still full of mist. Mr. Walker carried his camera up the stone stairs, all "
        "1,280 of them, and did not stop until he reached the top. He is 67 years old, and he comes here every week to "
        "photograph the sunrise, whatever the weather. The best one, he says, was on October 1st, 2019, when the clouds "
        "lay below him like a sea; he had only one battery with him. Since then he has bought a new camera for $649.99, "
        "taught himself to edit pictures, and shown them to more than 300,000 people. Does he get tired? He laughs. "
        '"As long as I can walk," he says, "I will keep coming."'
    ),
    "en-mixed": "Turn on Wi-Fi, then search for 北京 and choose version 2.0.1.",
    "en-3s": "Mom, I have to work late, so please eat without me.",
    "en-10s": (
        "Good evening, passengers. The train to the coast is 15 minutes late. "
        "Please wait on platform 2, and keep your bags and your children with you."
    ),
    "en-30s": (
        "Here is the local news. Last night heavy snow stopped every bus in the city for three hours. The first of them "
        "went back to work at 7 this morning, but the roads are still slippery, and the drivers are taking their time. "
        "The snow will last until Friday, and the nights will be as cold as -12°C. The mayor asks people to leave their "
        "cars at home and to take the train. Schools will open tomorrow, but the first lesson begins at 9."
    ),
}
