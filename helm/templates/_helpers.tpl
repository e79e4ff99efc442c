{{/* Name of everything a release makes. */}}
{{- define "heliolake.name" -}}
{{- if contains "heliolake" .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-heliolake" (.Release.Name | trunc 40) -}}
{{- end -}}
{{- end -}}

{{/* What tells the pods of a release; with a component, those of one part of it. */}}
{{- define "heliolake.selector" -}}
app.kubernetes.io/name: heliolake
app.kubernetes.io/instance: {{ .top.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{- define "heliolake.labels" -}}
{{ include "heliolake.selector" . }}
app.kubernetes.io/version: {{ .top.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .top.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .top.Chart.Name .top.Chart.Version }}
{{- end -}}

{{- define "heliolake.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ .repository }}@{{ .digest }}
{{- else -}}
{{ .repository }}:{{ .tag | default $.Chart.AppVersion }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "heliolake.account" -}}
{{- if .Values.serviceAccount.create -}}
{{ .Values.serviceAccount.name | default (include "heliolake.name" .) }}
{{- else -}}
{{ .Values.serviceAccount.name | default "default" }}
{{- end -}}
{{- end -}}

{{/* Whether scheduler and workers are of this release. */}}
{{- define "heliolake.ownDask" -}}
{{- if has .Values.dask.kind (list "deployment" "operator") }}yes{{ end -}}
{{- end -}}

{{/* The Secret of Dask's certificates; empty where there is none. */}}
{{- define "heliolake.daskSecret" -}}
{{- if ne .Values.dask.kind "gateway" -}}
{{- if and .Values.dask.tls.generate (include "heliolake.ownDask" .) -}}
{{ include "heliolake.name" . }}-dask
{{- else -}}
{{ required "dask.tls.secret: name the Secret with tls.crt, tls.key and ca.crt of the Dask cluster" .Values.dask.tls.secret }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "heliolake.daskAddress" -}}
{{- if include "heliolake.ownDask" . -}}
tls://{{ include "heliolake.name" . }}-scheduler:8786
{{- else -}}
{{ required "dask.address: say where the scheduler is, tls://HOST:PORT" .Values.dask.address }}
{{- end -}}
{{- end -}}

{{/* What says who the pods of Dask are: the operator gives them labels of its own. */}}
{{- define "heliolake.daskSelector" -}}
{{- if eq .top.Values.dask.kind "operator" -}}
dask.org/cluster-name: {{ include "heliolake.name" .top }}
dask.org/component: {{ .component }}
{{- else -}}
{{ include "heliolake.selector" . }}
{{- end -}}
{{- end -}}
