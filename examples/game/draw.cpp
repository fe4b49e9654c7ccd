// What is seen: lines on a dark sky.
#include "draw.h"
#include <cmath>

struct Color {
  Uint8 R, G, B;
};

static Color sky() { return {8, 8, 24}; }
static Color rockColor() { return {200, 200, 200}; }
static Color shipColor(const World &W) {
  return W.Lives > 1 ? Color{120, 255, 120} : Color{255, 120, 80};
}

static void use(SDL_Renderer *Renderer, Color C) {
  SDL_SetRenderDrawColor(Renderer, C.R, C.G, C.B, 255);
}

/// A closed line through points of the circle around At.
static void polygon(SDL_Renderer *Renderer, Vec At, float Radius, float Angle,
                    int Corners) {
  SDL_FPoint Last{};
  for (int I = 0; I <= Corners; ++I) {
    float A = Angle + 6.2832f * float(I % Corners) / float(Corners);
    SDL_FPoint P{At.X + Radius * std::cos(A), At.Y + Radius * std::sin(A)};
    if (I > 0)
      SDL_RenderDrawLineF(Renderer, Last.x, Last.y, P.x, P.y);
    Last = P;
  }
}

void draw(SDL_Renderer *Renderer, const World &W) {
  use(Renderer, sky());
  SDL_RenderClear(Renderer);
  use(Renderer, rockColor());
  for (const Rock &R : W.Rocks)
    polygon(Renderer, R.At, R.Radius, 0, 9);
  use(Renderer, {255, 255, 160});
  for (const Shot &S : W.Shots)
    SDL_RenderDrawPointF(Renderer, S.At.X, S.At.Y);
  use(Renderer, shipColor(W));
  polygon(Renderer, W.Player.At, 10, W.Player.Angle, 3);
  for (int I = 0; I < W.Lives; ++I)
    polygon(Renderer, {16.f + 20.f * float(I), 16}, 6, -1.5708f, 3);
  SDL_RenderPresent(Renderer);
}
