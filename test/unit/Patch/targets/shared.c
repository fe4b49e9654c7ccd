/* What the targets call and read. Never armed. */
int target_helper(int a, int b) { return a * 5 - b * 3; }
volatile int target_seven = 7;
int (*volatile target_pointer)(int, int) = target_helper;
