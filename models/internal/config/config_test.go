package config_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"wavemill/models/internal/config"
)

type toy struct {
	Width int     `json:"width"`
	Rate  float64 `json:"rate"`
}

func (c toy) Validate() error {
	check := config.Check{Prefix: "toy: config: "}
	check.Within("width", float64(c.Width), 1, 8)
	check.Within("rate", c.Rate, 0, 1)
	return check.Err()
}

func TestParse(t *testing.T) {
	defaults := toy{4, 0.5}
	for _, text := range []string{"", `{}`, `{"width":4}`} {
		if c, err := config.Parse("toy", json.RawMessage(text), defaults); err != nil || c != defaults {
			t.Errorf("%q: %+v, error %v", text, c, err)
		}
	}
	for text, want := range map[string]string{
		`{"width":9,"rate":-1}`: "toy: config: width: 9 is not between 1 and 8\ntoy: config: rate: -1 is not between 0 and 1",
		`{"wide":9}`:            `toy: config: json: unknown field "wide"`,
		`[]`:                    "toy: config: json: cannot unmarshal array",
		`{`:                     "toy: config: unexpected EOF",
	} {
		if _, err := config.Parse("toy", json.RawMessage(text), defaults); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", text, err, want)
		}
	}
}

func TestCheck(t *testing.T) {
	c := config.Check{Prefix: "x: "}
	c.Add(nil)
	if c.Err() != nil {
		t.Errorf("nothing is wrong: %v", c.Err())
	}
	c.Within("a", math.NaN(), 0, 1)
	c.Add(errors.New("other"))
	c.Notef("b: %d", 2)
	if err := c.Err(); err == nil || err.Error() != "x: a: NaN is not between 0 and 1\nother\nx: b: 2" {
		t.Errorf("error %v", err)
	}
}

func TestPaths(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{``, `{"vae":{"vary":1}}`},
		{`null`, `{"vae":{"vary":1}}`},
		{`{"share":0.50}`, `{"share":0.50,"vae":{"vary":1}}`},
		{`{"vae":{"vary":3,"a":[1]}}`, `{"vae":{"a":[1],"vary":1}}`},
	} {
		got, err := config.With(json.RawMessage(c.text), 1, "vae", "vary")
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %s, error %v; want %s", c.text, got, err, c.want)
		}
		if v, ok, err := config.Lookup(got, "vae", "vary"); err != nil || !ok || string(v) != "1" {
			t.Errorf("%s: value %s, %v, error %v", got, v, ok, err)
		}
	}
	for _, text := range []string{``, `{}`, `{"vae":{}}`, `null`} {
		if _, ok, err := config.Lookup(json.RawMessage(text), "vae", "vary"); ok || err != nil {
			t.Errorf("%s: found %v, error %v", text, ok, err)
		}
	}
	for _, text := range []string{`{`, `[]`, `{"vae":1}`} {
		if _, err := config.With(json.RawMessage(text), 1, "vae", "vary"); err == nil {
			t.Errorf("%s: no error when set", text)
		}
		if _, _, err := config.Lookup(json.RawMessage(text), "vae", "vary"); err == nil {
			t.Errorf("%s: no error when read", text)
		}
	}
}
