// Package report writes the HTML report of a demo, a comparison or an evaluation of models.
//
// A [Page] holds what is shown: figures with their intervals, sounds with their pictures, curves, tables and settings.
// [Write] turns it into one HTML file in which sounds and pictures are embedded, so that the file opens from disk, can be
// mailed and needs no network. Names and labels come from users and are escaped. Empty parts of a page are left out.
//
// [Comparison] fills a page with the result of package comparison; [NewSound], [Losses] and [Classify] make the parts of
// other pages. The package computes no figure of its own beside the counts of [Classify].
package report
