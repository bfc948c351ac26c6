// Which requests share a cached answer.

import Reactor
import Testing

@testable import Gateway

@Suite struct CacheKeyTests {
    private func key(_ path: String, _ query: String = "", _ tier: Tier = .free) -> String {
        let (path, query) = (Array(path.utf8), Array(query.utf8))
        let key = CacheKey(path: path.rawBytes, query: query.rawBytes, tier: tier)
        return String(decoding: key.bytes, as: UTF8.self).replacing("\0", with: "|")
    }

    @Test func `the path stands first, then the query, then the tier`() {
        #expect(key("/v1/a", "x=1") == "/v1/a?x=1|free|")
        #expect(key("/v1/a", "", .internal) == "/v1/a|internal|")
    }

    @Test func `escapes have one spelling`() {
        #expect(key("/v1/%41%2d%7e%2f%c3%A9") == "/v1/A-~%2F%C3%A9|free|")
        #expect(key("/v1/a%2") == "/v1/a%2|free|")
        #expect(key("/v1/%zz%") == "/v1/%zz%|free|")
        #expect(key("/v1/a+b") != key("/v1/a%2Bb"))
    }

    @Test func `items stand in the order of their names, those of one name as they came`() {
        #expect(key("/p", "b=2&a=1&b=1&&a=0&c") == "/p?a=1&a=0&b=2&b=1&c|free|")
        #expect(key("/p", "a=%42&%61=1") == "/p?a=B&a=1|free|")
        #expect(key("/p", "&&") == "/p|free|")
        #expect(key("/p", "a=x%26b") == "/p?a=x%26b|free|", "an escaped separator stays one")
        #expect(key("/p", "a=1&b=2") != key("/p", "a=2&b=1"))
    }

    @Test func `a prefix of the path is a prefix of its keys`() {
        #expect(key("/v1/properties/1", "a=1").hasPrefix("/v1/properties"))
    }

    @Test func `variants go by the fields an answer names, in one spelling`() {
        let base = CacheKey(bytes: Array("base".utf8))
        var one = VariantFields()
        one.add("Accept-Language", Array("en, de;q=0.5".utf8))
        one.add("Accept-Encoding", Array("gzip".utf8))
        one.add("accept-encoding", Array("br".utf8))
        var other = VariantFields()
        other.add("accept-language", Array("en,de;q=0.5".utf8))
        #expect(base.varying(by: ["accept-language"], one) == base.varying(by: ["accept-language"], other))
        #expect(base.varying(by: ["accept-encoding"], one) != base.varying(by: ["accept-encoding"], other))
        #expect(one["accept-encoding"] == Array("gzip,br".utf8))
        #expect(base.varying(by: [], one) == base)
        #expect(base.varying(by: ["accept"], one) != base, "a variant is never mistaken for the base")
    }
}
