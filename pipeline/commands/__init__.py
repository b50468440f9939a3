"""One module a subcommand; each holds a click command named `command`, and is imported last."""

import difflib
import importlib
import os

import click

from pipeline import signals
from speech.errors import BadInput

#: name -> (module with a click command `command`, help line). Listed here so that `--help` imports
#: none of them: torch alone would cost seconds.
COMMANDS: dict[str, tuple[str, str]] = {
    "eval": ("pipeline.commands.eval", "Word error rate of a checkpoint or a bundle on a corpus."),
    "prune": ("pipeline.commands.prune", "Prune one checkpoint to one sparsity."),
    "sensitivity": (
        "pipeline.commands.sensitivity",
        "Which parts of a model can bear pruning, layer by layer.",
    ),
    "sweep": (
        "pipeline.commands.sweep",
        "Word error rate over methods and sparsities, without exporting anything.",
    ),
    "methods": ("pipeline.commands.methods", "The named pruning methods, one line each."),
    "run": (
        "pipeline.commands.run",
        "Everything a recipe asks for: prune, score, export, measure.",
    ),
    "recipe": (
        "pipeline.commands.recipe",
        "Check and explain recipes, and write new ones.",
    ),
    "pack": (
        "pipeline.commands.pack",
        "A bundle as one file, to copy or to keep; a checkpoint small.",
    ),
    "unpack": ("pipeline.commands.unpack", "The bundle that is in such a file."),
    "load": (
        "pipeline.commands.load",
        "The PyTorch checkpoint in such a file, in a bundle or packed, as a plain one.",
    ),
    "inspect": (
        "pipeline.commands.inspect",
        "What is in a bundle, where it comes from, what a device needs of it.",
    ),
    "verify": (
        "pipeline.commands.verify",
        "Whether a bundle is whole, works, and says what its checkpoint says.",
    ),
    "export-optimum": (
        "pipeline.commands.export_optimum",
        "A model in the layout of optimum and transformers.js.",
    ),
    "transcribe": (
        "pipeline.commands.transcribe",
        "What is said in sound files, in the words of a bundle.",
    ),
    "card": ("pipeline.commands.card", "The page that the hub shows of a bundle."),
    "push": ("pipeline.commands.push", "A bundle onto the Hugging Face hub, with its card."),
    "device": (
        "pipeline.commands.device",
        "Name the devices to measure on, and see whether they can be.",
    ),
    "bench": (
        "pipeline.commands.bench",
        "Measure bundles on this machine and on devices, over SSH.",
    ),
    "results": ("pipeline.commands.results", "The table of what was measured."),
    "report": ("pipeline.commands.report", "What was measured, as one page with pictures."),
    "plot": ("pipeline.commands.plot", "Runs and sweeps on one picture, a line a method."),
    "tui": ("pipeline.commands.tui", "Compare the variants of a run in the terminal."),
    "profiles": (
        "pipeline.commands.profiles",
        "The device profiles, and which one this machine is.",
    ),
}


class LazyGroup(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        near = difflib.get_close_matches(args[0], COMMANDS, 1)
        if args[0] not in COMMANDS and near:
            ctx.fail(f"No such command {args[0]!r}: did you mean {near[0]}?")
        try:
            return super().resolve_command(ctx, args)
        except ModuleNotFoundError as error:
            raise click.ClickException(
                f"`secateur {args[0]}` needs {error.name}, which is not installed here: "
                f"pip install 'secateur[host,tui]'."
            ) from error


@click.group(
    cls=LazyGroup,
    epilog="Example: secateur eval demo-whisper --corpus demo",
    context_settings={"help_option_names": ["-h", "--help"]},
)
@click.version_option(package_name="secateur", prog_name="secateur")
def group() -> None:
    """Cut a speech recogniser down to a small computer, and see what that gains and costs."""
    if not is_somewhere():
        raise BadInput("The working directory does not exist any more: go to another one.")
    signals.leave_in_order()  # the command is imported, and what it does begins now


def is_somewhere() -> bool:
    try:
        return bool(os.getcwd())  # noqa: PTH109 - Path.cwd() would say no more
    except OSError:
        return False
