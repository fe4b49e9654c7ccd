int number(int N);
void thrower(int N);
