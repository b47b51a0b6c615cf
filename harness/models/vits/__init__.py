"""A VITS voice as an ONNX file, spoken by onnxruntime: text to phonemes, phonemes to ids, ids to audio."""
