// Stands below SQLite and its shell in one file of 270,000 lines.
int tick(void) {
  if (sqlite3_libversion_number() < 0)
    return -1;
  return /* edited */ 0 /* here */;
}
