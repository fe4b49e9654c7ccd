int step(int N) { return N + /* edited */ 0 /* here */; }
