package web

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/hex"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// Header is the header that every request must have which changes something. A form of another site cannot set it, and a
// script of another site may not without the server's consent, which is never given.
const Header = "Wavemill-Studio"

// cookieName is the cookie of a browser that has used the login link.
const cookieName = "wavemill_studio"

// Policy is the Content-Security-Policy of every answer: everything is from this server, no script or style is in the markup.
const Policy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; media-src 'self' blob:; connect-src 'self'; " +
	"manifest-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// A Guard decides which requests reach a handler.
type Guard struct {
	// Token is what a client must know; empty: none. A server that other machines reach must have one, or Certificates.
	Token string
	// Certificates lets clients in which have proved a certificate of one of the server's authorities. Where there is no token,
	// they alone are let in.
	Certificates bool
	// Open are paths that need neither the token nor a known host, such as those that orchestrators ask.
	Open []string
	Log  *slog.Logger
}

// IsLocal reports whether an address to listen on, host:port, is reached from this machine only.
func IsLocal(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && localHost(host)
}

// localHost reports whether a name always means this machine.
func localHost(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.IsLoopback()
}

// Wrap returns a handler that answers only what the guard lets pass. Every answer has the headers that keep a browser from
// running, framing or guessing anything.
//
// Without a token, the Host of a request must be a name of this machine: a page of another site whose name is made to resolve
// to 127.0.0.1 (DNS rebinding) sends its own name. With a token such a page has no cookie, because cookies belong to names;
// with client certificates its browser finds that the server's certificate is not for that name.
func (g Guard) Wrap(next http.Handler) http.Handler {
	unsafe := http.NewCrossOriginProtection()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		for _, open := range g.Open {
			if r.URL.Path == open || strings.HasPrefix(r.URL.Path, open+"/") {
				next.ServeHTTP(w, r)
				return
			}
		}
		if g.open() && !localHost(hostname(r.Host)) {
			Fail(w, r, g.Log, Errorf(http.StatusMisdirectedRequest, "this server answers to localhost and 127.0.0.1 only"))
			return
		}
		if g.Token != "" && r.Method == http.MethodGet && r.URL.Path == "/login" {
			g.login(w, r)
			return
		}
		if err := foreign(r); err != nil {
			Fail(w, r, g.Log, err)
			return
		}
		if err := unsafe.Check(r); err != nil {
			Fail(w, r, g.Log, Errorf(http.StatusForbidden, "requests of other sites are refused"))
			return
		}
		if !safeMethod(r.Method) && r.Header.Get(Header) == "" {
			Fail(w, r, g.Log, Errorf(http.StatusForbidden, "the header %s is missing", Header))
			return
		}
		if !g.knows(r) {
			Fail(w, r, g.Log, g.stranger(w.Header()))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func safeMethod(method string) bool { return method == http.MethodGet || method == http.MethodHead }

// hostname is a Host header without its port.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return strings.Trim(host, "[]")
}

// foreign returns an error for a request that a page of another site makes, also one that only reads. Following a link to the
// page itself is allowed: a link is a sound.
func foreign(r *http.Request) error {
	refused := Errorf(http.StatusForbidden, "requests of other sites are refused")
	site := r.Header.Get("Sec-Fetch-Site")
	link := r.Method == http.MethodGet && r.Header.Get("Sec-Fetch-Mode") == "navigate" && r.Header.Get("Sec-Fetch-Dest") == "document" && !strings.HasPrefix(r.URL.Path, "/api/")
	if site != "" && site != "same-origin" && site != "none" && !link {
		return refused
	}
	if origin := r.Header.Get("Origin"); origin != "" {
		_, host, ok := strings.Cut(origin, "://")
		if !ok || !strings.EqualFold(host, r.Host) {
			return refused
		}
	}
	return nil
}

// secure sets the headers of every answer.
func secure(h http.Header) {
	h.Set("Content-Security-Policy", Policy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "microphone=(self), midi=(self), camera=(), geolocation=()")
}

// cookie is the value of the cookie: it proves the token and does not contain it.
func (g Guard) cookie() string {
	mac := hmac.New(sha256.New, []byte(g.Token))
	mac.Write([]byte("wavemill studio"))
	return hex.EncodeToString(mac.Sum(nil))
}

// open reports whether everybody who reaches the server may use it.
func (g Guard) open() bool { return g.Token == "" && !g.Certificates }

// stranger is the error for a client that proves nothing.
func (g Guard) stranger(h http.Header) *Error {
	if g.Token == "" {
		return Errorf(http.StatusUnauthorized, "this server needs a client certificate of its authority")
	}
	h.Set("WWW-Authenticate", `Bearer realm="wavemill studio"`)
	return Errorf(http.StatusUnauthorized, "open the link that the server printed when it began, or send the token as Authorization: Bearer")
}

// knows reports whether a request proves the token, or a certificate where these log in. The comparisons take the same time
// wherever the values differ.
func (g Guard) knows(r *http.Request) bool {
	if g.open() || g.Certificates && certified(r) {
		return true
	}
	if g.Token == "" {
		return false
	}
	if given, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer "); ok && same(given, g.Token) {
		return true
	}
	c, err := r.Cookie(cookieName)
	return err == nil && same(c.Value, g.cookie())
}

// same compares in constant time, whatever the lengths.
func same(a, b string) bool {
	x, y := sha256.Sum256([]byte(a)), sha256.Sum256([]byte(b))
	return subtle.ConstantTimeCompare(x[:], y[:]) == 1
}

// login gives a browser that follows the login link its cookie and sends it to the page. The page is opened by a refresh, not
// by a redirect: a browser sends a strict cookie only where the navigation began on this site.
func (g Guard) login(w http.ResponseWriter, r *http.Request) {
	if !same(r.URL.Query().Get("token"), g.Token) {
		Fail(w, r, g.Log, Errorf(http.StatusUnauthorized, "the token of the link is not that of this server; a server that began anew printed a new link"))
		return
	}
	http.SetCookie(w, &http.Cookie{
		Name: cookieName, Value: g.cookie(), Path: "/", MaxAge: int((30 * 24 * time.Hour).Seconds()),
		HttpOnly: true, SameSite: http.SameSiteStrictMode, Secure: r.TLS != nil,
	})
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Refresh", "0; url=/")
	w.WriteHeader(http.StatusOK)
}
