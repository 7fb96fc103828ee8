{{/*
Refuses keys that the chart does not know, and objects without a key that they need. Takes {value, node, path, definitions, kind}:
node is what files/names.json says of the value. The schema of Helm is silent about names, because its errors cannot say which one
was meant.
*/}}
{{- define "wavemill.checkNames" -}}
{{- $node := .node -}}
{{- $required := get $node "required" | default list -}}
{{- if hasKey $node "ref" -}}
{{- $node = get .definitions $node.ref | default dict -}}
{{- $required = concat $required (get $node "required" | default list) -}}
{{- if hasKey $node "ref" -}}{{- $node = get .definitions $node.ref | default dict -}}{{- end -}}
{{- end -}}
{{- if get $node "byKind" -}}{{- $node = get .definitions (printf "config-%s" .kind) | default dict -}}
{{- $required = get $node "required" | default list -}}
{{- end -}}
{{- $keys := get $node "keys" | default dict -}}
{{- if kindIs "map" .value -}}
{{- $kind := get .value "kind" | default (get .value "operator") | default "" -}}
{{- range $key, $value := .value -}}
{{- $path := ternary $key (printf "%s.%s" $.path $key) (empty $.path) -}}
{{- if and $keys (not (hasKey $keys $key)) -}}
{{- $meant := include "wavemill.meant" (dict "word" $key "among" (keys $keys)) -}}
{{- if eq $key "false" -}}{{- $meant = "YAML reads off, no and false alike: write the key in quotes" -}}{{- end -}}
{{- fail (printf "%s: the chart has no such value; %s" $path $meant) -}}
{{- end -}}
{{- $below := get $keys $key | default (get $node "any") | default dict -}}
{{- include "wavemill.checkNames" (dict "value" $value "node" $below "path" $path "definitions" $.definitions "kind" $kind) -}}
{{- end -}}
{{- range $key := $required -}}
{{- if not (hasKey $.value $key) -}}
{{- fail (printf "%s: %s is missing" $.path $key) -}}
{{- end -}}
{{- end -}}
{{- else if kindIs "slice" .value -}}
{{- range $i, $value := .value -}}
{{- include "wavemill.checkNames" (dict "value" $value "node" (get $node "items" | default dict) "path" (printf "%s[%d]" $.path $i) "definitions" $.definitions "kind" "") -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{/* The name that was meant by a word, or all names. Takes {word, among}. Near means that about a third of the letters differ at most, or that one begins with the other. */}}
{{- define "wavemill.meant" -}}
{{- $word := lower .word -}}
{{- $best := "" -}}
{{- $least := add (div (len $word) 3) 2 | int -}}
{{- range $name := sortAlpha .among -}}
{{- $d := include "wavemill.distance" (dict "a" $word "b" (lower $name)) | int -}}
{{- if and (gt (len $word) 1) (or (hasPrefix $word (lower $name)) (hasPrefix (lower $name) $word)) -}}{{- $d = min $d 1 | int -}}{{- end -}}
{{- if lt $d $least -}}{{- $best = $name -}}{{- $least = $d -}}{{- end -}}
{{- end -}}
{{- if $best -}}
did you mean {{ $best }}?
{{- else -}}
there are {{ sortAlpha .among | join ", " }}
{{- end -}}
{{- end -}}

{{/* The edit distance of two words: letters left out, added, replaced, or exchanged with their neighbour. Takes {a, b}. */}}
{{- define "wavemill.distance" -}}
{{- $a := splitList "" .a -}}
{{- $b := splitList "" .b -}}
{{- $before := list -}}
{{- $row := untilStep 0 (int (add1 (len $b))) 1 -}}
{{- range $i, $x := $a -}}
{{- $next := list (int (add1 $i)) -}}
{{- range $j, $y := $b -}}
{{- $d := min (add (index $row $j) (ternary 0 1 (eq $x $y))) (add1 (index $row (int (add1 $j)))) (add1 (index $next $j)) -}}
{{- if and $i $j -}}
{{- if and (eq $x (index $b (int (sub $j 1)))) (eq $y (index $a (int (sub $i 1)))) -}}
{{- $d = min $d (add1 (index $before (int (sub $j 1)))) -}}
{{- end -}}
{{- end -}}
{{- $next = append $next (int $d) -}}
{{- end -}}
{{- $before = $row -}}
{{- $row = $next -}}
{{- end -}}
{{- last $row -}}
{{- end -}}
