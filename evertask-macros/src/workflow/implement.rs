//! What both forms of a workflow implement.

use proc_macro2::{Ident, Span, TokenStream};
use quote::{quote, quote_spanned};

use crate::arms::expand::Scope;
use crate::krate::Krate;
use crate::names;
use crate::schedule::Schedule;

/// `impl Work`, for both forms of a workflow.
pub(crate) fn work(
    krate: &Krate,
    of: &Ident,
    name: &str,
    output: &TokenStream,
    prepare: &TokenStream,
    bound: Option<&TokenStream>,
) -> TokenStream {
    let private = krate.private(Span::mixed_site());
    let [draft, id, report] = ["draft", "id", "report"].map(|name| names::local(name, Span::mixed_site()));
    quote! {
        #[automatically_derived]
        #[allow(trivial_bounds)]
        impl #krate::Work for #of #bound {
            type Output = #output;
            type Error = #krate::FailureReport;
            type Id = #krate::RunId;
            const NAME: &'static ::core::primitive::str = #name;

            fn prepare(self, #draft: #private::Draft) -> ::core::result::Result<#private::NewWork, #krate::CodecError> {
                #prepare
            }

            fn registered() -> #private::Registered {
                #private::Registered::Workflow(<Self as #krate::Workflow>::entry())
            }

            fn id(#id: #krate::WorkId) -> ::core::option::Option<#krate::RunId> {
                match #id {
                    #krate::WorkId::Run(#id) => ::core::option::Option::Some(#id),
                    #krate::WorkId::Task(_) => ::core::option::Option::None,
                }
            }

            fn typed_error(
                #report: &#krate::FailureReport,
                _: ::core::option::Option<&[::core::primitive::u8]>,
            ) -> ::core::option::Option<#krate::FailureReport> {
                ::core::option::Option::Some(::core::clone::Clone::clone(#report))
            }
        }
    }
}

/// What says that a chain may lead to this workflow.
pub(crate) fn follower(krate: &Krate, of: &Ident) -> TokenStream {
    let span = of.span();
    let private = krate.private(span);
    quote_spanned! {span=>
        #[automatically_derived]
        impl #private::Follower for #of {
            type Work = Self;
        }

        #[automatically_derived]
        impl #private::Step for #of {
            type Work = Self;
            type Kind = #private::OfWorkflow;
        }
    }
}

/// `impl Workflow`, for both forms of a workflow.
pub(crate) fn implement_workflow(
    krate: &Krate,
    of: &Ident,
    entry: &TokenStream,
    bound: Option<&TokenStream>,
) -> TokenStream {
    let private = krate.private(Span::mixed_site());
    quote! {
        #[automatically_derived]
        #[allow(trivial_bounds)]
        impl #krate::Workflow for #of #bound {
            fn entry() -> &'static #private::WorkflowEntry {
                #entry
            }
        }
    }
}

/// What the entry of a workflow says of its schedule.
pub(crate) fn recurs(scope: &Scope<'_>, schedule: Option<&Schedule>, of: &Ident, empty: &TokenStream) -> TokenStream {
    match schedule {
        None => quote!(::core::option::Option::None),
        Some(schedule) => {
            let recurs = schedule.expand(scope, of, empty);
            quote!(::core::option::Option::Some(#recurs))
        }
    }
}
