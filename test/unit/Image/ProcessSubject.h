#ifndef HOTJIT_TEST_UNIT_IMAGE_PROCESSSUBJECT_H
#define HOTJIT_TEST_UNIT_IMAGE_PROCESSSUBJECT_H

// What ProcessTest.cpp looks for in the debug info of its own process.
extern thread_local int SubjectThreadLocal;
extern int SubjectGlobal;
int subjectFunction(int X);
int *subjectStatic();
/// Where code that is not PIC thinks that the variable is.
int *copiedAddressFromExecutable();

#endif
