// Messages read from files together with where they stand: text or binary (told apart by content), hostile or not.
// Protobuf's own complaints become diagnostics.
#pragma once

#include <google/protobuf/message.h>
#include <google/protobuf/text_format.h>

#include <optional>
#include <string>
#include <vector>

#include "compiler/frontend/diagnostics.h"

namespace convoke {

using Places = google::protobuf::TextFormat::ParseInfoTree;

// A message and the places of its fields; no places for binary files.
template <typename M>
struct Located {
  const M* message;
  const Places* places;
  const M* operator->() const { return message; }
};

// A field, or the index-th of a repeated one; where it is absent, `otherwise`.
Position position_of(const google::protobuf::Message& message, const Places* places, int field_number, int index,
                     Position otherwise);

template <typename M>
Position position_of(const Located<M>& parent, int field_number, int index = -1, Position otherwise = {}) {
  return position_of(*parent.message, parent.places, field_number, index, otherwise);
}

const Places* places_of(const google::protobuf::Message& message, const Places* places, int field_number, int index);

template <typename M, typename P>
Located<M> child(const Located<P>& parent, const M& message, int field_number, int index = -1) {
  return {&message, places_of(*parent.message, parent.places, field_number, index)};
}

// How many of `positions` lie within the text of the index-th value of a repeated field.
size_t count_within(const std::vector<Position>& positions, const google::protobuf::Message& message,
                    const Places* places, int field_number, int index);

struct ReadMessage {
  bool usable = false;             // the message holds what could be read
  const Places* places = nullptr;  // the ones filled, of text
  std::vector<Position> unknown;   // fields that were skipped, and reported
};

// Fills `message` and, for text, `places`. Limits: 1 MiB, 32 levels.
ReadMessage read_message(const std::string& bytes, google::protobuf::Message& message, Places& places,
                         Diagnostics& diagnostics);

// The bytes of a file for read_message, no more of a larger one than shows that it is; nothing when it cannot be read,
// which is reported.
std::optional<std::string> read_definition(const std::string& path, Diagnostics& diagnostics);

}  // namespace convoke
