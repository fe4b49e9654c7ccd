// All state of the game. It outlives every edit of the code around it.
#pragma once
#include <vector>

struct Vec {
  float X = 0, Y = 0;
};
inline Vec operator+(Vec A, Vec B) { return {A.X + B.X, A.Y + B.Y}; }
inline Vec operator*(Vec A, float F) { return {A.X * F, A.Y * F}; }

constexpr int Width = 640, Height = 480;

struct Input {
  bool Left = false, Right = false, Thrust = false, Fire = false;
};

struct Ship {
  Vec At{Width / 2, Height / 2}, Speed;
  float Angle = -1.5708f; ///< radians; 0 looks to the right
  int Reload = 0;         ///< frames until it may fire again
};

struct Rock {
  Vec At, Speed;
  float Radius = 0;
};

struct Shot {
  Vec At, Speed;
  int Frames = 0; ///< that it still flies
};

class World {
public:
  World();
  /// One frame of a sixtieth of a second.
  void update(const Input &Keys);

  Ship Player;
  std::vector<Rock> Rocks;
  std::vector<Shot> Shots;
  int Score = 0, Lives = 3;
  unsigned Frame = 0;

private:
  void addRocks(int Count);
  void hitRocks();
  void hitPlayer();
  unsigned random();
  unsigned Seed = 1;
};

// ship.cpp
void steer(Ship &S, const Input &Keys);
bool fire(Ship &S, std::vector<Shot> &Shots);
Vec wrapped(Vec At);
