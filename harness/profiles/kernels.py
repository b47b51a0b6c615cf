"""Short names of CUDA kernels: what runs, without the types that a C++ template spells out."""

from __future__ import annotations

import re

_GENERIC = frozenset({"kernel", "Kernel", "Kernel2", "globalKernel"})
"""Names of kernels that say nothing without what stands around them."""
_WRAPPERS = frozenset({"BinaryFunctor", "AUnaryFunctor", "BUnaryFunctor", "UnaryFunctor"})
"""Functors whose argument is the one that computes."""
_ASKED_BY = re.compile(r"([A-Za-z_]\w*)(?:<[^<>()]*>)?\((?:at|c10)::")
"""A function of PyTorch that a kernel was made in: `silu_kernel(at::TensorIteratorBase&)::{lambda()#1}`."""
_FUNCTOR = re.compile(r"\b(\w*[Ff]unctor\w*|\w+Ops)\b")
_PASSING_ON = ("gpu_kernel_impl", "operator")


def short_name(name: str) -> str:
    """The kernel's own name and, after a colon, what it computes where that is a template's argument.

    A name that is no template, and what is no kernel (`Memcpy HtoD (Pageable -> Device)`), is left as it is.
    """
    plain = name.replace("(anonymous namespace)::", "")
    head, arguments = _template(plain)
    if head == plain:
        return name
    own = head.removeprefix("void ").split(" ")[-1].split("::")
    computed = _computed(arguments)
    if own[-1] not in _GENERIC:
        return f"{own[-1]}: {computed}" if computed and computed != own[-1] else own[-1]
    told = re.match(r"[A-Za-z_]\w{8,}", arguments)  # cutlass names the kernel in its argument
    return told.group() if told else "::".join(own[-2:])


def _template(name: str) -> tuple[str, str]:
    """What stands before the arguments of the outermost template, or else of the function, and the template's arguments.

    A template in the type that is returned (`std::enable_if<...>::type f<...>(...)`) is passed over.
    """
    opening = re.search(r"[<(]", name)
    if opening is None or name.startswith(("Memcpy", "Memset")):
        return name, ""
    begin = opening.start()
    if name[begin] == "(":
        return name[:begin], ""
    end = _closing(name, begin)
    rest = name[end + 1 :]
    if returned := re.match(r"::[\w:]+ ", rest):
        return _template(rest[returned.end() :])
    method = re.match(r"[\w:]*", rest)
    return name[:begin] + (method.group() if method else ""), name[begin + 1 : end]


def _closing(name: str, opening: int) -> int:
    """Where the angle bracket at `opening` is closed; the end of a name that was cut short."""
    depth = 0
    for place in range(opening, len(name)):
        depth += (name[place] == "<") - (name[place] == ">" and name[place - 1] != "-")
        if depth == 0:
            return place
    return len(name)


def _computed(arguments: str) -> str:
    """The function of PyTorch or the functor that the arguments of a template name; "" where they name none."""
    asking = [found for found in _ASKED_BY.findall(arguments) if not found.startswith(_PASSING_ON)]
    functors = [found for found in _FUNCTOR.findall(arguments) if found not in _WRAPPERS]
    return str((asking or functors or [""])[0])
