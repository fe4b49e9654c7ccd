int same(int N) { return N + 0; }
