#include "job/utf8.hpp"

#include "base/utf8.hpp"

namespace mizan::job {

Result<void> check_utf8(std::string_view text, const std::string& field) {
  if (is_utf8(text)) return {};
  return fail(Error{
      ErrorCode::invalid_argument,
      field + ": is not UTF-8 text; save the file as UTF-8",
      {}}.with("field", field));
}

}  // namespace mizan::job
