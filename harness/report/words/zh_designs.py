"""Chinese: what is said of joint designs, of what each optimization has of the whole."""

from __future__ import annotations

from collections.abc import Mapping

DESIGNS: Mapping[str, str] = {
    "The controls did not pass: the figures are shown, and nothing is advised.": "对照未通过：数字照常列出，但不给出建议。",
    "more together": "合用收益更大",
    "less together": "合用收益更小",
    "independent": "相互独立",
    "Exact Shapley values over all combinations that were measured.": "对测过的全部组合精确计算的 Shapley 值。",
    "Main effects of a fraction, which are fair shares where no three optimizations interact; that is assumed here.":
        "部分析因的主效应；在没有三项优化共同交互时即为公平份额，此处以此为假设。",
    "Shapley values over sampled orders; which orders were drawn is counted in the intervals.":
        "对抽样次序计算的 Shapley 值；抽到哪些次序的不确定性已计入区间。",
    "Steps in the order of the scenario. One order is not fair to any of them: there are no shares.":
        "按场景中的次序逐步启用。单一次序对任何一项都不公平，因此没有份额。",
    "For {wanted} of the whole gain, by the estimates, adopt {names}: they keep {kept}{interval}.":
        "按估计值，要得到全部收益的 {wanted}，建议采用 {names}：可保留 {kept}{interval}。",
    "Adopt these first, in this order: {names}. Of what each of the others adds after them, no gain is known.":
        "建议首先按此次序采用：{names}。其余各项在其后没有已知的收益。",
    "Leave off what costs where it stands in this order: {names}.": "请勿采用在此次序中反而有损的各项：{names}。",
    "All together are not known to gain; some of them do.": "全部合用未见收益；其中一些单项有收益。",
    "What to adopt is not said, since of these nothing can be had: {names}. Leave them out, and measure again.":
        "不给出采用建议，因为以下各项没有可得的收益：{names}。请去掉后重新测量。",
    "All together are not known to gain.": "全部合用未见收益。",
    "Whether all together gain as much as matters is not known: {interval}. Measure longer before you decide.":
        "全部合用的收益是否达到要紧的程度尚不清楚：{interval}。请测得更久再作决定。",
    "All together gain: {interval}. Which of them that takes is not known.": "全部合用有收益：{interval}。需要其中哪些尚不清楚。",
    "All together cost: {interval}.": "全部合用有损失：{interval}。",
    " Some of them gain.": "其中一些单项有收益。",
    "All together gain less than what matters; that one alone does is not ruled out.": "全部合用的收益达不到要紧的程度；不排除某一单项达到。",
    "All together do not gain as much as matters: {interval}.": "全部合用的收益达不到要紧的程度：{interval}。",
    "All together gain less than what matters: adopt none of them for this.": "全部合用的收益达不到要紧的程度：就此而言都不必采用。",
    " ({low} to {high})": "（{low} 至 {high}）",
    "Adopt all of them: no fewer that were measured keep {wanted} of the gain.": "建议全部采用：测过的更少的组合都保不住 {wanted} 的收益。",
    "No single step is known to gain as much as matters.": "没有哪一步的收益已知达到要紧的程度。",
    "Adopt in this order: {names}.": "建议按此次序采用：{names}。",
    "Where one of these pairs is on, expect less of the other: {pairs}.": "以下各对中已启用一项时，另一项的收益会变小：{pairs}。",
    "Adopt these pairs together: {pairs}.": "以下各对宜一同采用：{pairs}。",
    "Which pair of each group of aliases it is, only design factorial can say.": "每组混杂中究竟是哪一对，只有 factorial 设计能回答。",
    "No two of them depend on each other: judge each by its own share.": "两两之间互不影响：各按自己的份额判断。",
    "Judge each by its own share: no pair is known to depend on each other; of {count} it is not known.":
        "各按自己的份额判断：没有已知互相影响的一对；另有 {count} 对尚不清楚。",
    " and {count} more": "，另有 {count} 项",
    "Choose among the sets on the frontier, by the memory that you have: every other set is beaten in time or in memory, or is no "
    "better than a smaller one that is shown. None and all stand beside them.":
        "请按可用的内存在前沿上的组合中选择：其他组合不是在时间上就是在内存上被超过，或者并不优于所列的更小的组合。全部关闭与全部启用列在旁边。",
    "Sets of optimizations": "优化的组合",
    "What each has of the whole": "各项在整体中的份额",
    "All together: {total}. {method}": "全部合计：{total}。{method}",
    "From none to all on {device}": "{device} 上从全部关闭到全部启用",
    "Each bar begins where the one above it ends; its length is the share of that optimization in the change of {metric}, with its "
    "interval. Shares add up to the whole change. {method}":
        "每一条从上一条的末端开始；长度是该项优化在{metric}变化中的份额，并带区间。各份额之和等于整个变化。{method}",
    "Each bar is one step, with its interval, from where the step above it ends. {method}": "每一条是一步，带区间，从上一步的末端开始。{method}",
    "Shares and steps on {device}": "{device} 上的份额与步骤",
    "Shares and steps in {metric}, in the order in which to adopt": "{metric}的份额与步骤，按建议采用的次序",
    "Intervals of one column hold together with 95 %. The order is chosen by the same figures.":
        "同一列的区间以 95 % 同时成立。次序由同样的数字选出。",
    "Of the whole": "占整体",
    "As the next step": "作为下一步",
    "Main effect": "主效应",
    "A part of all combinations was measured: {generators}. What that cannot tell apart stands beside each pair.":
        "只测了全部组合的一部分：{generators}。由此分辨不开的列在每一对旁边。",
    "Pairs on {device}": "{device} 上的两两关系",
    "How much more, or less, two change together than the product of their changes. Coloured: known to give more or less together; "
    "shaded: independent within the margin; blank: not known.":
        "两项合用的变化比各自变化之积多或少多少。着色：已知合用收益更大或更小；灰底：在界限之内相互独立；空白：不清楚。",
    "All pairs, with intervals": "全部两两组合及区间",
    "All pairs on {device}": "{device} 上的全部两两组合",
    "Pair": "组合",
    "Beyond the product": "超出乘积",
    "Not told apart from": "分辨不开的有",
    "Shares in other metrics": "其他指标中的份额",
    "Shares in other metrics on {device}": "{device} 上其他指标中的份额",
    "none of them": "全部关闭",
    "From none to all: shares of the change of {metric} on {device}": "{device} 上{metric}从全部关闭到全部启用：各项份额",
    "From none to all: steps of the change of {metric} on {device}": "{device} 上{metric}从全部关闭到全部启用：各步",
    "How pairs act together on {metric}, on {device}": "{device} 上各对对{metric}的共同作用",
}  # fmt: skip
