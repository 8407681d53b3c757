"""Makes the golden values that the tests compare against, with PyTorch. See README.md.

    OMP_NUM_THREADS=1 python make_goldens.py [operations] [graphs] [traces]
"""
import pathlib, sys
import torch
from safetensors.numpy import save_file
import operations, graphs, traces

if __name__ == "__main__":
    here = pathlib.Path(__file__).parent
    parts = dict(operations=operations, graphs=graphs, traces=traces)
    for name in sys.argv[1:] or parts:
        tensors, metadata = parts[name].make()
        save_file(tensors, here / f"{name}.safetensors", metadata=dict(metadata, torch=torch.__version__))
        (here / f"{name}.safetensors").chmod(0o644)
        print(f"{name}.safetensors: {len(tensors)} tensors, {(here / f'{name}.safetensors').stat().st_size} bytes")
