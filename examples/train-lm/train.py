#!/usr/bin/python3
"""Trains a small character-level language model (a GRU) on corpus.txt.

Needs nothing but PyTorch. Prints `step=N/M loss=X` lines, which `mizan run` draws as progress, and
writes checkpoints, on SIGUSR1 too, from the last of which it goes on when it is started again.
"""
import argparse
import hashlib
import os
import pathlib
import signal
import sys
import time

print("train.py: loading PyTorch", flush=True)
import torch  # noqa: E402  (after the line above: the import takes a second or two)
from torch import nn  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent


class CharModel(nn.Module):
    def __init__(self, letters, embedding=64, hidden=154):
        super().__init__()
        self.embed = nn.Embedding(letters, embedding)
        self.gru = nn.GRU(embedding, hidden, batch_first=True)
        self.out = nn.Linear(hidden, letters)

    def forward(self, text, state=None):
        seen, state = self.gru(self.embed(text), state)
        return self.out(seen), state


def save_whole(value, path):
    """A reader sees the old file or the new one, never a part."""
    part = path.with_name(path.name + ".part")
    torch.save(value, part)
    os.replace(part, path)


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--corpus", type=pathlib.Path, default=HERE / "corpus.txt")
    parser.add_argument("--checkpoints", type=pathlib.Path, default=pathlib.Path("checkpoints"))
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("model.pt"))
    parser.add_argument("--steps", type=int, default=int(os.environ.get("STEPS", "400")))
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--length", type=int, default=64)
    parser.add_argument("--print-every", type=int, default=5)
    parser.add_argument("--checkpoint-every", type=int, default=100)
    return parser.parse_args()


def main():
    args = arguments()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    text = args.corpus.read_text()
    letters = "".join(sorted(set(text)))
    index = {letter: i for i, letter in enumerate(letters)}
    data = torch.tensor([index[letter] for letter in text])
    model = CharModel(len(letters))
    optimizer = torch.optim.Adam(model.parameters(), lr=6e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, max_lr=1e-2, total_steps=args.steps + 1, pct_start=0.15)
    step = 0

    args.checkpoints.mkdir(parents=True, exist_ok=True)
    checkpoint = args.checkpoints / "last.pt"
    if checkpoint.exists():
        saved = torch.load(checkpoint)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        schedule.load_state_dict(saved["schedule"])
        torch.set_rng_state(saved["random"])
        step = saved["step"]
        print(f"resumed_from_step={step}", flush=True)

    def save_checkpoint():
        save_whole({"step": step, "model": model.state_dict(), "schedule": schedule.state_dict(),
                    "optimizer": optimizer.state_dict(), "random": torch.get_rng_state()},
                   checkpoint)
        print(f"checkpoint_step={step}", flush=True)

    asked = []
    signal.signal(signal.SIGUSR1, lambda *_: asked.append(True))
    parameters = sum(p.numel() for p in model.parameters())
    print(f"characters={len(text)} letters={len(letters)} parameters={parameters}", flush=True)

    window = torch.arange(args.length + 1)
    began, losses = time.monotonic(), []
    while step < args.steps:
        starts = torch.randint(len(data) - args.length - 1, (args.batch, 1))
        sample = data[starts + window]
        guess, _ = model(sample[:, :-1])
        loss = nn.functional.cross_entropy(guess.flatten(0, 1), sample[:, 1:].flatten())
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        schedule.step()
        step += 1
        losses.append(loss.item())
        if step == 1 or step % args.print_every == 0 or step == args.steps:
            print(f"step={step}/{args.steps} loss={sum(losses) / len(losses):.4f} "
                  f"seconds={time.monotonic() - began:.1f}", flush=True)
            losses.clear()
        if asked or step % args.checkpoint_every == 0:
            asked.clear()
            save_checkpoint()

    save_whole({"letters": letters, "model": model.state_dict()}, args.out)
    print(f"model_sha256={hashlib.sha256(args.out.read_bytes()).hexdigest()}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
