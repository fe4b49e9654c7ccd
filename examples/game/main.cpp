// Rocks: turn with left and right, thrust with up, shoot with space.
//
// The loop has one safe point per frame: with HOTJIT_COMMIT_AT_SAFEPOINT=1 no
// frame is computed half by old and half by new code. The window's title says
// what was reloaded last.
//
//   game              play
//   game --headless   one frame per line of stdin: the keys that are down, as
//                     "left thrust"; prints what came of it. For tests.
#include "draw.h"
#include <cstdio>
#include <cstring>
#include <hotjit/hotjit.h>
#include <string>

static const char *reloaded(hotjit_phase Phase, const hotjit_reload_info *Info,
                            void *Window) {
  if (Phase != HOTJIT_PHASE_AFTER || !Info->functions[0])
    return nullptr;
  std::string Title = "Rocks: new " + std::string(Info->functions[0]);
  SDL_SetWindowTitle(static_cast<SDL_Window *>(Window), Title.c_str());
  return nullptr;
}

static Input keysDown() {
  const Uint8 *Keys = SDL_GetKeyboardState(nullptr);
  Input I;
  I.Left = Keys[SDL_SCANCODE_LEFT];
  I.Right = Keys[SDL_SCANCODE_RIGHT];
  I.Thrust = Keys[SDL_SCANCODE_UP];
  I.Fire = Keys[SDL_SCANCODE_SPACE];
  return I;
}

/// False: the player has closed the window.
static bool handleEvents() {
  SDL_Event E;
  while (SDL_PollEvent(&E))
    if (E.type == SDL_QUIT ||
        (E.type == SDL_KEYDOWN && E.key.keysym.sym == SDLK_ESCAPE))
      return false;
  return true;
}

static void frame(World &W, const Input &Keys, SDL_Renderer *Renderer) {
  hotjit_safepoint();
  W.update(Keys);
  draw(Renderer, W);
}

static void playHeadless(World &W, SDL_Window *Window, SDL_Renderer *Renderer) {
  char Line[64];
  while (std::fgets(Line, sizeof Line, stdin)) {
    Input Keys;
    Keys.Left = std::strstr(Line, "left");
    Keys.Right = std::strstr(Line, "right");
    Keys.Thrust = std::strstr(Line, "thrust");
    Keys.Fire = std::strstr(Line, "fire");
    frame(W, Keys, Renderer);
    Uint32 Sky = 0;
    SDL_Rect Corner{Width - 1, Height - 1, 1, 1};
    SDL_RenderReadPixels(Renderer, &Corner, SDL_PIXELFORMAT_ARGB8888, &Sky, 4);
    std::printf("frame %u: ship at %.1f,%.1f, %zu rocks, %zu shots, sky %06x, "
                "%s\n",
                W.Frame, W.Player.At.X, W.Player.At.Y, W.Rocks.size(),
                W.Shots.size(), Sky & 0xffffff, SDL_GetWindowTitle(Window));
    std::fflush(stdout);
  }
}

int main(int Count, char **Words) {
  bool Headless = Count > 1 && !std::strcmp(Words[1], "--headless");
  if (SDL_Init(SDL_INIT_VIDEO) != 0) {
    std::fprintf(stderr, "game: %s\n", SDL_GetError());
    return 1;
  }
  SDL_Window *Window =
      SDL_CreateWindow("Rocks", SDL_WINDOWPOS_CENTERED, SDL_WINDOWPOS_CENTERED,
                       Width, Height, 0);
  SDL_Renderer *Renderer = SDL_CreateRenderer(
      Window, -1, Headless ? SDL_RENDERER_SOFTWARE : SDL_RENDERER_PRESENTVSYNC);
  if (!Window || !Renderer) {
    std::fprintf(stderr, "game: %s\n", SDL_GetError());
    return 1;
  }
  hotjit_on_reload(reloaded, Window);
  World W;
  if (Headless)
    playHeadless(W, Window, Renderer);
  else
    while (handleEvents()) {
      frame(W, keysDown(), Renderer);
      SDL_Delay(16);
    }
  SDL_DestroyRenderer(Renderer);
  SDL_DestroyWindow(Window);
  SDL_Quit();
  return 0;
}
