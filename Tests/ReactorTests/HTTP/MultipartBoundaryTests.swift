// The boundary out of a Content-Type. Sections are RFC 2046's unless named.

import Reactor
import Testing

@Suite struct MultipartBoundaryTests {
    private func boundary(_ contentType: String) throws(MultipartFailure) -> String {
        try MultipartBoundary(contentType: Array(contentType.utf8).rawBytes).text
    }

    private func reason(_ contentType: String) -> MultipartFailure.Reason? {
        do throws(MultipartFailure) {
            _ = try boundary(contentType)
            return nil
        } catch {
            return error.reason
        }
    }

    @Test func `a boundary comes as a token or in quotes, in any letter case of its name, beside other parameters`()
        throws
    {
        #expect(try boundary("multipart/form-data; boundary=abc") == "abc")
        #expect(try boundary("Multipart/Form-Data;BOUNDARY=abc") == "abc")
        #expect(try boundary("multipart/form-data; charset=utf-8; boundary=\"a b\"; x=y") == "a b")
        #expect(try boundary("multipart/form-data ; boundary=abc;") == "abc")
        #expect(try boundary("multipart/form-data; x=\"a;boundary=no\\\"\"; boundary=yes") == "yes")
    }

    @Test func `an unquoted boundary may hold what only quotes should`() throws {
        #expect(try boundary("multipart/form-data; boundary=----=_Part_1==:/?") == "----=_Part_1==:/?")
    }

    @Test func `another content type is told from a broken one`() {
        for type in ["", "application/json", "multipart/mixed; boundary=a", "multipart", "multipart/form-data2"] {
            #expect(reason(type) == .notMultipart, "\(type)")
        }
        #expect(reason("multipart/form-data") == .boundaryMissing)
        #expect(reason("multipart/form-data; charset=utf-8") == .boundaryMissing)
    }

    @Test func `section 5-1-1: a boundary has 1 to 70 of the allowed characters and no space at its end`() throws {
        #expect(try boundary("multipart/form-data; boundary=\(String(repeating: "a", count: 70))").count == 70)
        #expect(reason("multipart/form-data; boundary=\(String(repeating: "a", count: 71))") == .boundaryInvalid)
        for bad in [
            "boundary=", "boundary=\"\"", "boundary=\"a \"", "boundary=a@b", "boundary=\"a\\\"b\"",
            "boundary=é", "boundary=\"abc", "boundary", "=a", "boundary=a b", "boundary=\"a\"b",
        ] {
            #expect(reason("multipart/form-data; \(bad)") == .boundaryInvalid, "\(bad)")
        }
    }

    @Test func `two boundaries are refused, for two readers could choose differently`() {
        #expect(reason("multipart/form-data; boundary=a; boundary=b") == .boundaryRepeated)
        #expect(reason("multipart/form-data; boundary=a; Boundary=a") == .boundaryRepeated)
    }
}
