"""Chinese: what the page says of init, first requests and steady ones."""

from __future__ import annotations

from collections.abc import Mapping

STARTS: Mapping[str, str] = {
    "From start to steady": "从启动到稳态",
    "Init, first request and steady requests on {device}": "{device} 上的初始化、首个请求与稳态请求",
    "Steady request": "稳态请求",
    "Even after": "持平所需请求数",
    "of {before}": "原为 {before}",
    "at initialisation": "初始化时",
    "until its first answer": "到首次应答为止",
    "{number} ({low} to {high})": "{number}（{low} 至 {high}）",
    "{count} request": "{count} 个请求",
    "{count} requests": "{count} 个请求",
    "Init of a pipeline in a warm process, the first request of a fresh process, and a request of a warm one. What is paid or won "
    "until the first answer is that of init and first request of the same fresh process.":
        "依次为：热进程中流水线的初始化、新进程的首个请求、热进程的请求。首次应答之前的得失，是同一新进程的初始化与首个请求之和。",
    "First requests of fresh processes were not measured (metric first_request): what is paid or won beforehand is that of init alone.":
        "未测量新进程的首个请求（指标 first_request）：事先的得失仅指初始化。",
    "the controls did not pass: the figures are shown, and no number of requests is told.": "对照未通过：数字照列，不给出请求数。",
    "requests are made at the same moment, so that their seconds do not add up to time: the figures are shown, and no number of "
    "requests is told.":
        "请求同时进行，各自的秒数相加并非实际时间：数字照列，不给出请求数。",
    "one process measured it, so that there is no interval and no number of requests is told.":
        "只有一个进程测量过，因此没有区间，也不给出请求数。",
    "what it changes {when} ({upfront}) and in a request ({steady}) have different signs; after how many requests that is "
    "even is not known yet.":
        "{when}的变化（{upfront}）与每个请求的变化（{steady}）符号相反；多少个请求后持平尚无定论。",
    "wins {each} a request; what it changes {when} is not told from nothing ({upfront}): even after {most} at most.":
        "每个请求节省 {each}；{when}的变化与零无法区分（{upfront}）：最多 {most}后持平。",
    "pays {before} {when}, wins {each} a request: even after {even}.": "{when}多用 {before}，每个请求节省 {each}：{even}后持平。",
    "wins {before} {when}, loses {each} a request: the gain is used up after {even}.":
        "{when}节省 {before}，每个请求多用 {each}：{even}后收益耗尽。",
    "wins {before} {when} and {each} a request: a gain from the first request on.":
        "{when}节省 {before}，每个请求节省 {each}：从首个请求起就有收益。",
    "pays {before} {when} and loses {each} a request: it never pays back.": "{when}多用 {before}，每个请求又多用 {each}：永远收不回。",
    "wins {each} a request; what it changes {when} is not told from nothing ({upfront}).":
        "每个请求节省 {each}；{when}的变化与零无法区分（{upfront}）。",
    "loses {each} a request; what it changes {when} is not told from nothing ({upfront}).":
        "每个请求多用 {each}；{when}的变化与零无法区分（{upfront}）。",
    "pays {before} {when}; what a request wins is not told from nothing ({steady}), so that it is not known to pay back.":
        "{when}多用 {before}；每个请求的变化与零无法区分（{steady}），因此不知能否收回。",
    "wins {before} {when}; what it changes of a request is not told from nothing ({steady}).":
        "{when}节省 {before}；每个请求的变化与零无法区分（{steady}）。",
    "neither {when} ({upfront}) nor in a request ({steady}) is a change told from nothing.":
        "{when}（{upfront}）和每个请求（{steady}）的变化都与零无法区分。",
    "First request": "首个请求",
    "Host time of the first request of a fresh process, right after init: with what is looked up, compiled and allocated once, and "
    "what a cache saves only later. Only where it is asked for.":
        "新进程在初始化之后首个请求的主机时间：包括只做一次的查找、编译和分配，以及缓存日后才省下的部分。仅在要求时测量。",
}  # fmt: skip
