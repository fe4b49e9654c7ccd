#ifndef COMMANDS_H
#define COMMANDS_H

struct connection;
/* `line` has no newline; may be changed. */
void run_command(struct connection *c, char *line);

#endif
