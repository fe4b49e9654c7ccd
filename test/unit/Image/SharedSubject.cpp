// A shared object of the test program: see ProcessTest.cpp.

extern "C" __attribute__((visibility("default"))) int ImageCopied = 4321;
extern "C" __attribute__((visibility("default"))) int *imageCopiedAddress() {
  return &ImageCopied;
}
