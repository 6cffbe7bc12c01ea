"""`python -m solver_cli`, and so `torchrun ... -m solver_cli`: the command solver-train."""

from solver_cli.commands.train import train

if __name__ == "__main__":
    train(prog_name="solver-train")
