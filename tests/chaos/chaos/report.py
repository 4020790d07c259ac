"""Collects what was checked and what was violated, and prints it."""

SHOWN = 10  # violations of one check


class Report:
    def __init__(self):
        self.passed = 0
        self.failed = 0

    def figure(self, text):
        print(f"    {text}", flush=True)

    def check(self, sentence, violations):
        """One promise: it holds when nothing violates it."""
        violations = list(violations)
        if not violations:
            self.passed += 1
            print(f"  ok      {sentence}", flush=True)
            return
        self.failed += 1
        print(f"  BROKEN  {sentence}: {len(violations)}", flush=True)
        for each in violations[:SHOWN]:
            print(f"          {each}", flush=True)
        if len(violations) > SHOWN:
            print(f"          and {len(violations) - SHOWN} more", flush=True)
