"""Running command line clients."""

import subprocess


class Program:
    """A command with its first arguments; calling it runs it and gives its standard output."""

    def __init__(self, *command, env=None):
        self._command = [str(part) for part in command]
        self._env = env

    def run(self, *arguments, stdin=None):
        """The finished process, however it ended."""
        return subprocess.run(
            [*self._command, *map(str, arguments)],
            capture_output=True,
            input=stdin if stdin is not None else b"",
            env=self._env,
            timeout=120,
        )

    def bytes(self, *arguments, stdin=None):
        result = self.run(*arguments, stdin=stdin)
        assert result.returncode == 0, result.stdout.decode(errors="replace") + result.stderr.decode(errors="replace")
        return result.stdout

    def __call__(self, *arguments, stdin=None):
        return self.bytes(*arguments, stdin=stdin).decode()
