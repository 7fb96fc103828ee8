// Command asm writes the SIMD kernels of the package above it.
//
//	cd models/nn/kernel/asm && go run . -out ../
package main

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/mmcloughlin/avo/attr"
	"github.com/mmcloughlin/avo/build"
	"github.com/mmcloughlin/avo/ir"
	"github.com/mmcloughlin/avo/operand"
	"github.com/mmcloughlin/avo/pass"
	"github.com/mmcloughlin/avo/printer"
)

const command = "cd models/nn/kernel/asm && go run . -out ../"

// file is one file of assembly in the making.
type file struct {
	*build.Context
	masks operand.Mem            // table of AVX2 masks
	data  map[uint32]operand.Mem // constants, by their bits
}

func main() {
	flags := flag.NewFlagSet("asm", flag.ExitOnError) // avo keeps the default set
	out := flags.String("out", ".", "directory to write the assembly and its Go declarations to")
	_ = flags.Parse(os.Args[1:]) // exits on error
	for name, gen := range map[string]func(*file){
		"tile":   tiles,
		"vector": elementwiseOps,
	} {
		if err := write(*out, name, gen); err != nil {
			fmt.Fprintf(os.Stderr, "asm: %s: %v\n", name, err)
			os.Exit(1)
		}
	}
}

func tiles(c *file) {
	masks(c)
	for _, rows := range []int{12, 8, 4} {
		genTile(c, avx512, rows, 2)
		genTile(c, avx512, rows, 1)
	}
	for _, rows := range []int{6, 4, 2} {
		genTile(c, avx2, rows, 2)
		genTile(c, avx2, rows, 1)
	}
	genDot(c, avx512)
	genDot(c, avx2)
	genPeak(c, avx512)
	genPeak(c, avx2)
	genPause(c)
}

// masks declares the table of AVX2 masks: eight lanes on, then eight off.
func masks(c *file) {
	c.masks = c.StaticGlobal("masks")
	c.DataAttributes(attr.RODATA | attr.NOPTR)
	for i := range 16 {
		v := uint32(0xffffffff)
		if i >= 8 {
			v = 0
		}
		c.AddDatum(4*i, operand.U32(v))
	}
}

// function begins a function.
func function(c *file, name, signature string, doc ...string) {
	c.Function(name)
	c.Attributes(attr.NOSPLIT)
	c.SignatureExpr(signature)
	c.Doc(doc...)
	c.Pragma("noescape")
}

// constant32 returns a constant, declared at its first use.
func (c *file) constant32(bits uint32) operand.Mem {
	m, ok := c.data[bits]
	if !ok {
		m = c.ConstData(fmt.Sprintf("const%08x", bits), operand.U32(bits))
		c.data[bits] = m
	}
	return m
}

// write generates one pair of files: the assembly and its declarations.
func write(dir, name string, gen func(*file)) error {
	c := &file{Context: build.NewContext(), data: map[uint32]operand.Mem{}}
	c.ConstraintExpr("amd64")
	gen(c)
	f, err := c.Result()
	if err != nil {
		return err
	}
	if err := pass.Compile.Execute(f); err != nil {
		return err
	}
	cfg := printer.Config{Name: "asm", Argv: []string{command}, Pkg: "kernel"}
	for suffix, p := range map[string]printer.Printer{".s": printer.NewGoAsm(cfg), ".go": printer.NewStubs(cfg)} {
		if err := print(filepath.Join(dir, name+"_amd64"+suffix), p, f); err != nil {
			return err
		}
	}
	return nil
}

func print(path string, p printer.Printer, f *ir.File) error {
	text, err := p.Print(f)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o644)
}
