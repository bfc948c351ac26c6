// What may be kept, and for how long. Source: api.md section 3, RFC 9111.

import Testing

@testable import Gateway

@Suite struct CachePolicyTests {
    private func terms(
        _ cacheControl: String? = nil, vary: String? = nil, age: String? = nil, cookie: Bool = false, status: Int = 200,
        routeMs: Int = 3_600_000, chance: Double = 0
    ) -> CacheTerms? {
        CachePolicy.terms(
            status: status, CacheFields(cacheControl: cacheControl, vary: vary, age: age, hasCookie: cookie),
            routeMs: routeMs, chance: chance)
    }

    @Test func `a 200 is kept for the route's time, and as stale for as long again`() {
        #expect(
            terms()
                == CacheTerms(lifetimeSeconds: 3600, freshMs: 3_600_000, staleMs: 3_600_000, ageSeconds: 0, vary: []))
    }

    @Test func `as stale it is kept for a minute at least`() {
        #expect(terms(routeMs: 5_000)?.staleMs == 60_000)
    }

    @Test func `max-age shortens the time and never lengthens it; s-maxage goes before it`() {
        #expect(terms("max-age=60")?.freshMs == 60_000)
        #expect(terms("max-age=7200")?.freshMs == 3_600_000)
        #expect(terms("max-age=60, s-maxage=10")?.freshMs == 10_000)
        #expect(terms("max-age=\"60\"")?.freshMs == 60_000)
    }

    @Test func `what came old is fresh for the rest`() {
        let terms = terms("max-age=100", age: "40")
        #expect(terms?.freshMs == 60_000)
        #expect(terms?.ageSeconds == 40)
        #expect(terms?.lifetimeSeconds == 100)
        #expect(self.terms("max-age=100", age: "100") == nil)
    }

    @Test(arguments: [
        "no-store", "private", "NO-STORE", "public, no-cache", "private=\"x-a, x-b\"", "max-age=0", "max-age=-1",
        "max-age=soon", "max-age",
    ])
    func `what the upstream forbids is not kept`(_ cacheControl: String) {
        #expect(terms(cacheControl) == nil)
    }

    @Test func `a word inside another's argument forbids nothing`() {
        #expect(terms("extension=\"no-store, private\"") != nil)
        #expect(terms("x-no-store") != nil)
    }

    @Test func `only 200 without a cookie, on a route that is cached, is kept`() {
        for status in [201, 204, 206, 301, 404, 410] { #expect(terms(status: status) == nil) }
        #expect(terms(cookie: true) == nil)
        #expect(terms(routeMs: 0) == nil)
    }

    @Test func `what must be validated is not served stale`() {
        #expect(terms("max-age=60, must-revalidate")?.staleMs == 0)
        #expect(terms("max-age=60, proxy-revalidate")?.staleMs == 0)
    }

    @Test func `Vary on what clients accept is kept apart, on anything else not kept`() {
        #expect(
            terms(vary: "Accept-Language, accept-encoding ,Accept-Language")?.vary == [
                "accept-encoding", "accept-language",
            ])
        #expect(terms(vary: "Origin")?.vary == [])
        #expect(terms(vary: "*") == nil)
        #expect(terms(vary: "Accept, User-Agent") == nil)
    }

    @Test func `Expires counts where no max-age does, from the answer's own date`() {
        func freshMs(_ expires: String, _ date: String?, _ cacheControl: String? = nil) -> Int? {
            let fields = CacheFields(cacheControl: cacheControl, expires: expires, date: date)
            return CachePolicy.terms(status: 200, fields, routeMs: 3_600_000, chance: 0)?.freshMs
        }
        let date = "Sun, 06 Nov 1994 08:49:37 GMT"
        #expect(freshMs("Sun, 06 Nov 1994 08:50:37 GMT", date) == 60_000)
        #expect(freshMs("Mon, 07 Nov 1994 08:49:37 GMT", date) == 3_600_000)
        #expect(freshMs("Sun, 06 Nov 1994 08:50:37 GMT", date, "max-age=5") == 5_000)
        #expect(
            freshMs(date, date) == nil && freshMs("0", date) == nil
                && freshMs("Sun, 06 Nov 1994 08:50:37 GMT", nil) == nil)
    }

    @Test func `chance takes up to a tenth of the time`() {
        #expect(terms(chance: 1)?.freshMs == 3_240_000)
        #expect(terms(chance: 0.5)?.freshMs == 3_420_000)
        #expect(terms(chance: 1)?.lifetimeSeconds == 3600, "clients are told the whole")
    }
}
