"""Profiles as data: what profilers wrote, and the difference between two arms. Nothing here runs a model or writes a file.

stacks       call stacks with weights; the text form that flame graph tools share
speedscope   speedscope's JSON <-> stacks
difference   two profiles -> one tree of frames with both sides, and the functions that changed most
operators    what torch.profiler counted in two arms, side by side
index        what lies in a run's folder `profiles/`: read by the report
"""
