"""Chinese: what the page says of joint designs."""

from __future__ import annotations

from collections.abc import Mapping

JOINT: Mapping[str, str] = {
    " ({low} to {high})": "（{low} 至 {high}）",
    " and {count} more": "，另有 {count} 对",
    "A part of all combinations was measured: {generators}. What that cannot tell apart stands beside each pair.":
        "只测量了全部组合的一部分：{generators}。无法区分的组合列在每一对旁边。",
    "Adopt all of them: no fewer that were measured keep {wanted} of the gain.":
        "全部采用：所测的更少的组合都保不住收益的 {wanted}。",
    "Adopt in this order, and stop there: {names}. What follows adds nothing that can be told apart.":
        "按此顺序采用，到此为止：{names}。其后各项没有可分辨的收益。",
    "Adopt in this order: {names}.": "按此顺序采用：{names}。",
    "Adopt these pairs together: {pairs}.": "以下各对应一起采用：{pairs}。",
    "Adopt {names}: they keep {kept} of the whole gain{interval}; the others can wait.":
        "采用{names}：它们保住全部收益的 {kept}{interval}；其余可以缓一缓。",
    "All pairs on {device}": "{device} 上的所有对",
    "All pairs, with intervals": "所有对及其区间",
    "All together gain nothing that can be told apart: adopt none of them for this.":
        "全部合计没有可分辨的收益：不必为此采用任何一项。",
    "All together: {total}. {method}": "全部合计：{total}。{method}",
    "As the next step": "作为下一步",
    "Beyond the product": "超出乘积的部分",
    "Choose among the sets on the frontier, by the memory that you have: every other set is beaten in time or in memory, or is "
    "no better than a smaller one that is shown. None and all stand beside them.":
        "按可用的内存在前沿上的组合中选择：其余组合在时间或内存上都被胜过，或不优于已列出的更小组合。"
        "全关与全开也一并列出。",
    "Each bar begins where the one above it ends; its length is the share of that optimization in the change of {metric}, with "
    "its interval. Shares add up to the whole change. {method}":
        "每一条从上一条的末端开始；其长度是该优化在{metric}变化中的份额及其区间。各份额之和等于全部变化。{method}",
    "Each bar is one step, with its interval, from where the step above it ends. {method}":
        "每一条是一步及其区间，从上一步的末端开始。{method}",
    "Exact Shapley values over all combinations that were measured.": "对全部组合实测得到的精确 Shapley 值。",
    "From none to all on {device}": "{device} 上从全关到全开",
    "How much more, or less, two change together than the product of their changes. Coloured: known to give more or less "
    "together; shaded: independent within the margin; blank: not known.":
        "两项一起的变化比各自变化之积多或少多少。着色：已知一起更多或更少；浅底：在界限内互不相关；空白：未知。",
    "Intervals of one column hold together with 95 %. The order is chosen by the same figures.":
        "同一列的区间以 95 % 同时成立。顺序由同一批数字选出。",
    "Judge each by its own share: no pair is known to depend on each other; of {count} it is not known.":
        "逐项按各自的份额判断：没有哪一对已知相互影响；有 {count} 对尚不清楚。",
    "Main effect": "主效应",
    "Main effects of a fraction, which are fair shares where no three optimizations interact; that is assumed here.":
        "部分组合的主效应；若没有三项优化相互影响，它就是公平份额：此处作此假设。",
    "No single step gains anything that can be told apart.": "没有任何一步带来可分辨的收益。",
    "No two of them depend on each other: judge each by its own share.": "任何两项都互不影响：逐项按各自的份额判断。",
    "Not told apart from": "无法与之区分",
    "Of the whole": "占全部",
    "Pair": "对",
    "Pairs on {device}": "{device} 上的各对",
    "Sets of optimizations": "优化的组合",
    "Shapley values over sampled orders; which orders were drawn is counted in the intervals.":
        "对抽取的若干顺序求得的 Shapley 值；抽到哪些顺序的不确定性已计入区间。",
    "Shares and steps in {metric}, in the order in which to adopt": "{metric}的份额与各步，按采用顺序",
    "Shares and steps on {device}": "{device} 上的份额与各步",
    "Shares in other metrics": "其他指标中的份额",
    "Shares in other metrics on {device}": "{device} 上其他指标中的份额",
    "Steps in the order of the scenario. One order is not fair to any of them: there are no shares.":
        "按场景给出的顺序逐步进行。单一顺序对各项都不公平，因此没有份额。",
    "The controls did not pass: the figures are shown, and nothing is advised.": "对照未通过：数字照常列出，但不给建议。",
    "What each has of the whole": "各项占全部变化的多少",
    "Where one of these pairs is on, expect less of the other: {pairs}.": "以下各对中一项已开时，另一项的收益会变小：{pairs}。",
    "Which pair of each group of aliases it is, only design factorial can say.":
        "究竟是混杂组中的哪一对，只有 factorial 设计能回答。",
    "independent": "互不影响",
    "less together": "一起更少",
    "more together": "一起更多",
    "none of them": "全关",
    "From none to all: shares of the change of {metric} on {device}": "{device} 上{metric}从全关到全开：各项份额",
    "From none to all: steps of the change of {metric} on {device}": "{device} 上{metric}从全关到全开：各步",
    "How pairs act together on {metric}, on {device}": "{device} 上各对对{metric}的共同作用",
}  # fmt: skip
