#!/usr/bin/python3
"""Loads a model that train.py made and prints a sample of text: sample.py model.pt"""
import argparse
import pathlib
import sys

import torch
from torch import nn


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", type=pathlib.Path)
    parser.add_argument("--prompt", default="In the beginning ")
    parser.add_argument("--characters", type=int, default=400)
    parser.add_argument("--temperature", type=float, default=0.6)
    parser.add_argument("--seed", type=int, default=7)
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)

    # The file comes from a stranger's machine: weights only, so that nothing in it can run.
    saved = torch.load(args.model, weights_only=True)
    letters, weights = saved["letters"], saved["model"]
    embed = nn.Embedding.from_pretrained(weights["embed.weight"])
    gru = nn.GRU(embed.embedding_dim, weights["out.weight"].shape[1], batch_first=True)
    gru.load_state_dict({name[4:]: w for name, w in weights.items() if name.startswith("gru.")})
    out = nn.Linear(gru.hidden_size, len(letters))
    out.load_state_dict({name[4:]: w for name, w in weights.items() if name.startswith("out.")})

    text, state = args.prompt, None
    feed = torch.tensor([[letters.index(c) for c in text]])
    with torch.no_grad():
        for _ in range(args.characters):
            seen, state = gru(embed(feed), state)
            chances = torch.softmax(out(seen[0, -1]) / args.temperature, dim=0)
            choice = torch.multinomial(chances, 1)
            text += letters[choice.item()]
            feed = choice.view(1, 1)
    print(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
