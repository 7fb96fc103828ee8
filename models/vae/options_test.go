package vae

import "testing"

// TestOptionsAreAccepted runs the acceptance suite on every option, and on some together.
func TestOptionsAreAccepted(t *testing.T) {
	for name, options := range map[string]string{
		"flow":          `"prior":"flow","flow":{"width":32,"steps":4}`,
		"dropout":       `"dropout":0.2,"latent_scale":3`,
		"unconditional": `"unconditional":true,"prior":"gmm"`,
		"encoders":      `"encoders":2`,
		"decoders":      `"decoders":3,"prior":"class-gaussian"`,
		"together":      `"encoders":3,"decoders":2,"prior":"flow","flow":{"width":32,"steps":4},"dropout":0.1,"latent_scale":0.5,"unconditional":true`,
	} {
		t.Run(name, func(t *testing.T) { accept(t, `{"channels":4,"latent":6,"embedding":4,"shift":0,`+options+`}`, 200, 1) })
	}
}
