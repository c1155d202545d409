"""TAP from plain functions: each function of the list is one test, its docstring what it proves."""
import sys
import traceback


def name(test):
    return (test.__doc__ or test.__name__).split("\n")[0]


class Skip(Exception):
    """Raised by a test that cannot be made here, with the reason: told, and not counted as passed."""


def run(tests):
    print("1..%d" % len(tests), flush=True)
    failed = 0
    for number, test in enumerate(tests, 1):
        try:
            test()
            state = "ok"
        except Skip as why:
            print("ok %d - %s # SKIP %s" % (number, name(test), why), flush=True)
            continue
        except Exception:
            traceback.print_exc()
            failed += 1
            state = "not ok"
        print("%s %d - %s" % (state, number, name(test)), flush=True)
    sys.exit(1 if failed else 0)
