// What protobuf's text parser complains about, in our words, with hints, at the place where it begins.
#pragma once

#include <google/protobuf/descriptor.h>
#include <google/protobuf/io/tokenizer.h>

#include <string>
#include <vector>

#include "compiler/frontend/text_scan.h"

namespace convoke {

// For one run of the parser, told to go on behind unknown fields.
class TextErrors : public google::protobuf::io::ErrorCollector {
 public:
  TextErrors(const std::string& text, const google::protobuf::Descriptor& root, Diagnostics& diagnostics)
      : text_(text), root_(root), diagnostics_(diagnostics), scan_(text) {}

  void AddError(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override;
  void AddWarning(int line, google::protobuf::io::ColumnNumber column, const std::string& message) override;

  // Of the fields that were skipped.
  const std::vector<Position>& unknown_fields() const { return unknown_; }

 private:
  void add_unknown_field(Position position, const std::string& type_name, const std::string& field);
  Position start_of_last(const std::string& word, Position behind) const;
  std::string found_there(Position position) const;
  std::string hint_at_sign(Position position) const;

  const std::string& text_;
  const google::protobuf::Descriptor& root_;
  Diagnostics& diagnostics_;
  TextScan scan_;
  std::vector<Position> unknown_;
  bool broken_ = false;  // what follows is a consequence
};

// "a Model", "conv2d": how a reader calls the message of a type in that field.
std::string message_name(const google::protobuf::Descriptor& type, const std::string& field);

}  // namespace convoke
