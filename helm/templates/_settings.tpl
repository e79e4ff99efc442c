{{- define "heliolake.lakeYaml" -}}
name: {{ required "lake.name: name the lake" .Values.lake.name }}
database_url_file: /run/secrets/database/url
rucio:
  url: {{ required "rucio.url: say where the Rucio server is" .Values.rucio.url | quote }}
  account: {{ .Values.rucio.account | quote }}
  password_file: /run/secrets/rucio/password
rse: {{ required "site.rse: name the storage element of this site" .Values.site.rse | quote }}
store: {{ required "site.store: give the URL of the store of this site" .Values.site.store | quote }}
{{- if .Values.storage.secret.name }}
store_credentials_file: /run/secrets/stores/stores.json
{{- end }}
{{- end -}}

{{/* sites.yaml: the others as they are given, and this one with the Dask cluster of this release. */}}
{{- define "heliolake.sitesYaml" -}}
{{- $own := deepCopy .Values.site.more -}}
{{- $_ := set $own "rse" .Values.site.rse -}}
{{- $_ := set $own "storage" .Values.site.store -}}
{{- if .Values.storage.secret.name -}}
{{- $_ := set $own "credentials" "/run/secrets/stores/stores.json" -}}
{{- end -}}
{{- $_ := set $own "dask" (include "heliolake.siteDask" . | fromYaml) -}}
{{- $_ := set $own "executor" "there" -}}
{{- $sites := deepCopy .Values.sites -}}
{{- $name := required "site.name: name the site" .Values.site.name -}}
{{- if hasKey $sites $name -}}
{{- fail (printf "sites.%s: that is this site, which site describes; sites has the others" $name) -}}
{{- end -}}
{{- $_ := set $sites $name $own -}}
{{- dict "sites" $sites "links" .Values.links "bandwidth" .Values.bandwidth "copies" .Values.copies | toYaml -}}
{{- end -}}

{{- define "heliolake.siteDask" -}}
{{- if eq .Values.dask.kind "gateway" -}}
{{- with .Values.dask.gateway -}}
kind: gateway
address: {{ required "dask.gateway.address: say where the gateway is" .address }}
{{- with .proxy }}
proxy: {{ . }}
{{- end }}
auth: {{ .auth }}
username: {{ .username }}
{{- if eq .auth "basic" }}
password_file: /run/secrets/gateway/password
{{- else if eq .auth "jupyterhub" }}
token_file: /run/secrets/gateway/password
{{- end }}
{{- with .options }}
options: {{- toYaml . | nindent 2 }}
{{- end }}
workers: {{ .workers }}
{{- end -}}
{{- else -}}
kind: address
address: {{ include "heliolake.daskAddress" . }}
ca: /run/secrets/dask/ca.crt
certificate: /run/secrets/dask/tls.crt
key: /run/secrets/dask/tls.key
{{- end -}}
{{- end -}}

{{/* What the Dask cluster does otherwise than Dask's defaults: cluster/services/dask_main.py says why. */}}
{{- define "heliolake.daskYaml" -}}
temporary-directory: /scratch
logging: {distributed: warning}
optimization:
  fuse: {active: false}
distributed:
  admin:
    tick: {interval: 500ms}
  scheduler:
    allowed-failures: 3
    preload: [cluster.board.preload]
    http:
      routes: [cluster.services.dask_pages, cluster.board.metrics, distributed.http.health, distributed.http.statics]
  worker:
    multiprocessing-method: spawn
    preload: [cluster.services.plain_logs]
    profile: {interval: 100ms}
    http: {routes: []}
    memory: {{- toYaml .Values.dask.worker.memory | nindent 6 }}
  {{- if include "heliolake.daskSecret" . }}
  comm:
    require-encryption: true
    tls:
      ca-file: /run/secrets/dask/ca.crt
      {{- range list "scheduler" "worker" "client" }}
      {{ . }}: {cert: /run/secrets/dask/tls.crt, key: /run/secrets/dask/tls.key}
      {{- end }}
  {{- end }}
{{- end -}}
