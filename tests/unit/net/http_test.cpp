#include "net/http.hpp"

#include <gtest/gtest.h>

namespace mizan::net {
namespace {

TEST(Http, FindsHeadersWithoutRegardToCase) {
  const Headers headers{{"Content-Type", "a"}, {"X", "b"}};
  EXPECT_EQ(header_or_empty(headers, "content-type"), "a");
  EXPECT_EQ(header_or_empty(headers, "x"), "b");
  EXPECT_EQ(find_header(headers, "Y"), nullptr);
}

TEST(Http, SplitsTheTarget) {
  Request request;
  request.target = "/v1/offers?query=a%3Db&limit=5";
  EXPECT_EQ(request.path(), "/v1/offers");
  const auto fields = parse_query(request.query());
  ASSERT_TRUE(fields);
  EXPECT_EQ(header_or_empty(*fields, "query"), "a=b");
  EXPECT_EQ(header_or_empty(*fields, "limit"), "5");
  request.target = "/v1";
  EXPECT_EQ(request.query(), "");
}

TEST(Http, RefusesBadQueries) {
  EXPECT_FALSE(parse_query("a=%4"));
  EXPECT_FALSE(parse_query("a=%zz"));
  EXPECT_FALSE(parse_query("a=1&a=2"));
  std::string many;
  for (int i = 0; i < 65; ++i) many += "f" + std::to_string(i) + "=1&";
  EXPECT_EQ(parse_query(many).error().code, ErrorCode::too_large);
}

TEST(Http, EncodesWhatItDecodes) {
  std::string all;
  for (int c = 0; c < 256; ++c) all.push_back(static_cast<char>(c));
  EXPECT_EQ(percent_decode(percent_encode(all)).value(), all);
}

TEST(Http, ErrorsSurviveTheWire) {
  const Error error{ErrorCode::insufficient_funds, "not \"enough\"", {{"field", "bid.maxTotal"}}};
  const Response response = error_response(error);
  EXPECT_EQ(response.status, 402U);
  const Error back = parse_error(response.status, response.body);
  EXPECT_EQ(back.code, error.code);
  EXPECT_EQ(back.message, error.message);
  EXPECT_EQ(back.details.at("field"), "bid.maxTotal");
  EXPECT_EQ(back.details.at("status"), "402");
  EXPECT_EQ(parse_error(502, "<html>").code, ErrorCode::internal);
  const Error bytes{ErrorCode::not_found, "no \xff here", {{"f\x80", "\xe2\x82"}}};
  const Error readable = parse_error(404, error_json(bytes));
  EXPECT_EQ(readable.message, "no ? here") << "an answer is JSON, whatever was asked";
  EXPECT_EQ(readable.details.at("f?"), "??");
}

TEST(Http, EveryCodeHasAStatusAndASpelling) {
  for (int code = 0; code <= static_cast<int>(kLastErrorCode); ++code) {
    const auto error_code = static_cast<ErrorCode>(code);
    EXPECT_GE(http_status(error_code), 400U);
    EXPECT_EQ(parse_error_code(to_string(error_code)), error_code);
  }
}

TEST(Url, Parses) {
  const auto url = parse_url("http://127.0.0.1:8080/");
  ASSERT_TRUE(url);
  EXPECT_EQ(url->host, "127.0.0.1");
  EXPECT_EQ(url->port, 8080);
  EXPECT_EQ(url->text(), "http://127.0.0.1:8080");
  EXPECT_EQ(parse_url("https://exchange.example")->port, 443);
  EXPECT_EQ(parse_url("http://[::1]:5")->authority(), "[::1]:5");
}

TEST(Url, RefusesWhatIsNone) {
  for (const char* text : {"", "ftp://a", "http://", "http://a:0", "http://a:65536",
                           "http://a:", "http://a:1x", "http://a/b", "http://u@h", "http://a b",
                           "http://[::1", "http://[::1]5", "http://h?x", "127.0.0.1:80"})
    EXPECT_FALSE(parse_url(text)) << text;
}

}  // namespace
}  // namespace mizan::net
