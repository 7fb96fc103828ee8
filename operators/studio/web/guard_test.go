package web

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
)

// request asks a guarded handler, with headers as name, value pairs.
func request(g Guard, method, target, host string, headers ...string) *http.Response {
	g.Log = slog.New(slog.DiscardHandler)
	h := g.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) }))
	r := httptest.NewRequest(method, target, http.NoBody)
	r.Host = host
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestGuard(t *testing.T) {
	const token = "correct horse"
	ours := []string{Header, "1"}
	for name, c := range map[string]struct {
		g                    Guard
		method, target, host string
		headers              []string
		want                 int
	}{
		"local page":                 {Guard{}, "GET", "/", "127.0.0.1:8642", nil, 418},
		"local name":                 {Guard{}, "GET", "/api/models", "localhost:8642", nil, 418},
		"local IPv6":                 {Guard{}, "GET", "/api/models", "[::1]:8642", nil, 418},
		"rebinding":                  {Guard{}, "GET", "/api/models", "evil.example:8642", nil, 421},
		"rebinding to a like name":   {Guard{}, "GET", "/api/models", "localhost.evil.example:8642", nil, 421},
		"no host":                    {Guard{}, "GET", "/api/models", "", nil, 421},
		"own request":                {Guard{}, "POST", "/api/stars", "127.0.0.1:8642", append(ours, "Origin", "http://127.0.0.1:8642", "Sec-Fetch-Site", "same-origin"), 418},
		"without the header":         {Guard{}, "POST", "/api/stars", "127.0.0.1:8642", []string{"Origin", "http://127.0.0.1:8642"}, 403},
		"form of another site":       {Guard{}, "POST", "/api/stars", "127.0.0.1:8642", []string{"Origin", "https://evil.example"}, 403},
		"cross-origin with header":   {Guard{}, "POST", "/api/stars", "127.0.0.1:8642", append(ours, "Origin", "https://evil.example", "Sec-Fetch-Site", "cross-site"), 403},
		"other port of this machine": {Guard{}, "DELETE", "/api/stars/x", "127.0.0.1:8642", append(ours, "Origin", "http://127.0.0.1:9999", "Sec-Fetch-Site", "same-site"), 403},
		"opaque origin":              {Guard{}, "PUT", "/api/stars/x", "127.0.0.1:8642", append(ours, "Origin", "null"), 403},
		"read by another site":       {Guard{}, "GET", "/api/clip?label=a", "127.0.0.1:8642", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "no-cors", "Sec-Fetch-Dest", "audio"}, 403},
		"link to the page":           {Guard{}, "GET", "/?label=a", "127.0.0.1:8642", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 418},
		"link into the API":          {Guard{}, "GET", "/api/clip?label=a", "127.0.0.1:8642", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "document"}, 403},
		"framed":                     {Guard{}, "GET", "/", "127.0.0.1:8642", []string{"Sec-Fetch-Site", "cross-site", "Sec-Fetch-Mode", "navigate", "Sec-Fetch-Dest", "iframe"}, 403},
		"no token":                   {Guard{Token: token}, "GET", "/", "studio.example", nil, 401},
		"wrong token":                {Guard{Token: token}, "GET", "/", "studio.example", []string{"Authorization", "Bearer wrong"}, 401},
		"token":                      {Guard{Token: token}, "GET", "/", "studio.example", []string{"Authorization", "Bearer " + token}, 418},
		"token as cookie":            {Guard{Token: token}, "GET", "/", "studio.example", []string{"Cookie", cookieName + "=" + token}, 401},
		"cookie":                     {Guard{Token: token}, "GET", "/", "studio.example", []string{"Cookie", cookieName + "=" + Guard{Token: token}.cookie()}, 418},
		"cookie of another token":    {Guard{Token: token}, "GET", "/", "studio.example", []string{"Cookie", cookieName + "=" + Guard{Token: "other"}.cookie()}, 401},
		"cookie, other site":         {Guard{Token: token}, "POST", "/api/stars", "studio.example", append(ours, "Cookie", cookieName+"="+Guard{Token: token}.cookie(), "Origin", "https://evil.example"), 403},
		"wrong login":                {Guard{Token: token}, "GET", "/login?token=x", "studio.example", nil, 401},
		"open page":                  {Guard{Token: token, Open: []string{"/livez", "/readyz"}}, "GET", "/livez", "10.0.0.7", nil, 418},
		"below an open page":         {Guard{Token: token, Open: []string{"/readyz"}}, "GET", "/readyz/train", "10.0.0.7", nil, 418},
		"like an open page":          {Guard{Token: token, Open: []string{"/livez"}}, "GET", "/livezz", "10.0.0.7", nil, 401},
	} {
		t.Run(name, func(t *testing.T) {
			r := request(c.g, c.method, c.target, c.host, c.headers...)
			if r.StatusCode != c.want {
				t.Errorf("status %d, want %d", r.StatusCode, c.want)
			}
			if r.Header.Get("Content-Security-Policy") != Policy || r.Header.Get("X-Content-Type-Options") != "nosniff" {
				t.Errorf("the answer lacks headers: %v", r.Header)
			}
			if len(r.Header["Access-Control-Allow-Origin"]) > 0 {
				t.Error("other sites are allowed")
			}
		})
	}
}

func TestLogin(t *testing.T) {
	g := Guard{Token: "a token"}
	r := request(g, "GET", "/login?token="+url.QueryEscape(g.Token), "studio.example")
	cookies := r.Cookies()
	if r.StatusCode != http.StatusOK || len(cookies) != 1 {
		t.Fatalf("status %d, cookies %v", r.StatusCode, cookies)
	}
	c := cookies[0]
	if !c.HttpOnly || c.SameSite != http.SameSiteStrictMode || strings.Contains(c.Value, g.Token) {
		t.Errorf("the cookie is %v", c)
	}
	if r := request(g, "GET", "/api/models", "studio.example", "Cookie", c.Name+"="+c.Value); r.StatusCode != http.StatusTeapot {
		t.Errorf("status %d with the cookie", r.StatusCode)
	}
}

func TestIsLocal(t *testing.T) {
	for address, want := range map[string]bool{
		"127.0.0.1:1": true, "localhost:1": true, "[::1]:1": true, "127.3.2.1:1": true,
		":8642": false, "0.0.0.0:1": false, "[::]:1": false, "10.0.0.1:1": false, "example.org:1": false, "nothing": false, "": false,
	} {
		if got := IsLocal(address); got != want {
			t.Errorf("IsLocal(%q) = %v", address, got)
		}
	}
}

func TestPolicyAllowsNothingInline(t *testing.T) {
	for _, bad := range []string{"unsafe-", "data:", "http:", "https:", "*"} {
		if strings.Contains(Policy, bad) {
			t.Errorf("the policy has %q", bad)
		}
	}
	if !strings.Contains(Policy, "default-src 'none'") {
		t.Error("the policy does not begin with nothing")
	}
}
