// How the ship feels. Fly it, edit a number, save, fly on.
#include "world.h"
#include <cmath>

static constexpr float TurnPerFrame = 0.08f; // radians

static float acceleration() { return 0.125f; }
static float drag() { return 0.99f; }
static float shotSpeed() { return 6; }
static int framesBetweenShots() { return 12; }

Vec wrapped(Vec At) {
  if (At.X < 0)
    At.X += Width;
  if (At.X >= Width)
    At.X -= Width;
  if (At.Y < 0)
    At.Y += Height;
  if (At.Y >= Height)
    At.Y -= Height;
  return At;
}

static Vec heading(const Ship &S) {
  return {std::cos(S.Angle), std::sin(S.Angle)};
}

void steer(Ship &S, const Input &Keys) {
  if (Keys.Left)
    S.Angle -= TurnPerFrame;
  if (Keys.Right)
    S.Angle += TurnPerFrame;
  if (Keys.Thrust)
    S.Speed = S.Speed + heading(S) * acceleration();
  S.Speed = S.Speed * drag();
  S.At = wrapped(S.At + S.Speed);
  if (S.Reload > 0)
    --S.Reload;
}

bool fire(Ship &S, std::vector<Shot> &Shots) {
  if (S.Reload > 0)
    return false;
  S.Reload = framesBetweenShots();
  Shots.push_back({S.At, S.Speed + heading(S) * shotSpeed(), 60});
  return true;
}
