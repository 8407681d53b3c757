"""Alternates measurements of nndist and PyTorch for launch/compare, which explains the arguments."""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile

SGD = "optimizer: {name: sgd, momentum: 0.9}\n"

# What nndist is given: a standard task of `bench step --model`, or a configuration.
MODELS = {
    "mlp": ["--model", "mlp"],
    "cnn": ["--model", "cnn"],
    "resnet20": ["--model", "resnet20"],
    "gpt": ["--model", "gpt"],
    "wide-mlp": "model: {name: mlp, widths: [1024, 1024, 1024, 1024]}\ndata: mnist\ntraining: {batch: 127}\n" + SGD,
    "odd-cnn": """model:
  layers:
    - convolution: {channels: 17, kernel: 5, padding: 2}
    - relu
    - max-pool: 2
    - convolution: {channels: 17, kernel: 5, padding: 2}
    - relu
    - max-pool: 2
    - convolution: {channels: 17, kernel: 5, padding: 2}
    - relu
    - flatten
    - linear: 10
data: cifar10
training: {batch: 50}
""" + SGD,
    "vgg11": "model: vgg11\ndata: cifar10\ntraining: {batch: 32}\n" + SGD,
}
DESCRIPTIONS = {
    "mlp": "MLP 784-512-512-10, batch 128",
    "cnn": "CNN, 28×28, batch 64",
    "resnet20": "ResNet-20, 32×32, batch 64",
    "gpt": "GPT, width 128, 4 blocks, 16×64 tokens",
    "wide-mlp": "MLP 784-1024×4-10, batch 127",
    "odd-cnn": "CNN, 5×5 kernels, 17 channels, batch 50",
    "vgg11": "VGG-11, 32×32, batch 32",
}


def run(words):
    ended = subprocess.run(words, capture_output=True, text=True)
    if ended.returncode != 0:
        return {"error": (ended.stderr.strip().splitlines() or ["?"])[-1]}
    return json.loads(ended.stdout.strip().splitlines()[-1])


def load():
    return os.getloadavg()[0]


def main():
    parser = argparse.ArgumentParser(prog="launch/compare")
    parser.add_argument("here")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--modes", default="default,channels-last,compile")
    parser.add_argument("--json")
    parser.add_argument("models", nargs="*")
    options = parser.parse_intermixed_args()  # models may follow options
    names = options.models or list(MODELS)
    unknown = [name for name in names if name not in MODELS]
    if unknown:
        parser.error(f"no model {unknown[0]}; there are {', '.join(MODELS)}")
    modes = options.modes.split(",")
    loads = [load()]
    own, peer, failures, everything = {}, {}, {}, []
    with tempfile.TemporaryDirectory() as folder:
        for index in range(options.rounds):
            for name in names:
                words = [os.path.join(options.here, ".build/release/nndist"), "bench", "step", "--json",
                         "--seconds", str(options.seconds)]
                if isinstance(MODELS[name], str):
                    path = os.path.join(folder, name + ".yaml")
                    with open(path, "w") as file:
                        file.write(MODELS[name])
                    words += ["--config", path]
                else:
                    words += MODELS[name]
                # PyTorch's modes follow at once: what else the machine does meets all of them.
                result = run(words)
                if "error" in result:
                    sys.exit(f"launch/compare: {name}: {result['error']}")
                everything.append({"round": index, "load": load(), **result})
                own.setdefault(name, []).append(result)
                for mode in modes:
                    if (name, mode) in failures or (name in ("mlp", "wide-mlp", "gpt") and mode == "channels-last"):
                        continue
                    script = os.path.join(options.here, "launch/compare_torch.py")
                    result = run([sys.executable, script, mode, str(options.seconds), name])
                    everything.append({"round": index, "load": load(), "mode": mode, "model": name, **result})
                    if "error" in result:
                        failures[name, mode] = result["error"]
                        continue
                    if result["parameters"] != own[name][-1]["parameters"]:
                        sys.exit(f"launch/compare: {name} has {own[name][-1]['parameters']} parameters here and "
                                 f"{result['parameters']} in PyTorch")
                    peer.setdefault((name, mode), []).append(result)
                loads.append(load())
                print(f"round {index + 1} of {options.rounds}: {name}", file=sys.stderr)
    if options.json:
        with open(options.json, "w") as file:
            json.dump(everything, file, indent=1)

    def median(results, key="median_seconds"):
        return statistics.median(result[key] for result in results)

    heads = ["model", "nndist, ms", *(f"PyTorch {mode}, ms" for mode in modes), "ratio to its best",
             "of the GEMM limit", "memory, MiB", "PyTorch's"]
    print("| " + " | ".join(heads) + " |")
    print("| --- " + "| ---: " * (len(heads) - 1) + "|")
    for name in names:
        mine = median(own[name])
        theirs = {mode: median(peer[name, mode]) for mode in modes if (name, mode) in peer}
        cells = [DESCRIPTIONS[name], f"{mine * 1e3:.2f}"]
        cells += [f"{theirs[mode] * 1e3:.2f}" if mode in theirs else "–" for mode in modes]
        cells.append(f"{min(theirs.values()) / mine:.2f}" if theirs else "–")
        cells.append(f"{median(own[name], 'fraction_of_limit'):.2f}")
        cells.append(f"{median(own[name], 'peak_memory_bytes') / 2**20:.0f}")
        least = [median(peer[name, mode], "peak_memory_bytes") for mode in theirs]
        cells.append(f"{min(least) / 2**20:.0f}" if least else "–")
        print("| " + " | ".join(cells) + " |")
    versions = sorted({result["torch"] for results in peer.values() for result in results})
    print(f"\nMedians of {options.rounds} rounds of {options.seconds:g} s, one core, alternating; PyTorch "
          f"{', '.join(versions)}; load {min(loads):.1f} to {max(loads):.1f} on {os.cpu_count()} cores.")
    for (name, mode), error in failures.items():
        print(f"PyTorch's {mode} does not work on {name} here: {error}")


main()
