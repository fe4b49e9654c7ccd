#pragma once
#include "world.h"
#include <SDL.h>

void draw(SDL_Renderer *Renderer, const World &W);
