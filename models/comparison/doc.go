// Package comparison evaluates candidate models side by side on the same recordings and decides which one to ship.
//
// [Recordings.Split] holds out the recordings that no checkpoint has seen. An [Evaluation] takes the two parts, trains one
// evaluator (package eval) and turns each [Candidate] into a row of figures: its clips come from package sampling, as WAV
// files hold them, so that what is evaluated is what is shipped. [Evaluation.Run] adds the rows that candidates are read
// against: real recordings, the ceiling of each front end, and noise. [Decide] derives a [Verdict] and [Columns] a table.
//
// A difference between two candidates counts only where its 95 % interval does not hold 0. Otherwise the table says
// "none" and the verdict prefers neither.
package comparison
