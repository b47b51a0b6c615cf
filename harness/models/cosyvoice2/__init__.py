"""CosyVoice2 in this project's own code: front end, language model, flow matching, vocoder, and the pipeline of them.

Parameter names and shapes follow the public CosyVoice2-0.5B checkpoints. Importing this package imports no torch.
"""
