"""``completion``: the completion script of a shell."""

import click


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    It completes commands, options, tasks, targets and runs, from the config file and the record of this machine, and
    asks no service.

    \b
    Install it once:
      upkeeper completion bash > ~/.local/share/bash-completion/completions/upkeeper
      upkeeper completion zsh  > ~/.zfunc/_upkeeper     (with fpath+=~/.zfunc before compinit in ~/.zshrc)
      upkeeper completion fish > ~/.config/fish/completions/upkeeper.fish
    """
    from click.shell_completion import get_completion_class

    from upkeeper.cli import cli

    source = get_completion_class(shell)
    assert source is not None  # click has all three
    click.echo(source(cli, {}, "upkeeper", "_UPKEEPER_COMPLETE").source())
