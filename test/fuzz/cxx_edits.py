"""Random edits of a random C++ program: those of C, and what C++ adds."""

import c_edits
from c_edits import blocks_of, walk


class CxxEditor(c_edits.Editor):
    def lambda_body(self):
        found = []
        for u in self.p.units:
            for f in u.functions:
                walk([f.body, [f.result]], lambda l, i: found.append(l[i])
                     if l[i][0] == "lambda" else None)
        if not found:
            return None
        e = self.rng.choice(found)
        e[self.rng.choice([1, 2])] = self.rng.choice(["+", "^", "*", "-"])
        e[3] += 1
        return "lambda"

    def no_try(self):
        """The block stays, what it threw goes on."""
        found = [(b, s) for u in self.p.units for f in u.functions
                 for b in blocks_of(f) for s in b if s[0] == "try"]
        if not found:
            return None
        block, s = self.rng.choice(found)
        at = block.index(s)
        block[at:at + 1] = s[1]
        return "try removed"

    def constructor(self):
        self.p.factor += 1
        return "constructor of Counter"

    def destructor(self):
        self.p.step += 1
        return "destructor of Tally"


EDITS = [*c_edits.EDITS, (5, "lambda_body", None), (3, "no_try", None),
         (2, "constructor", None), (2, "destructor", None)]


def random_edit(maker, program, state):
    return c_edits.random_edit(maker, program, state, CxxEditor, EDITS)
